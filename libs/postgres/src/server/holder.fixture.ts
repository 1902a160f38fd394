import { type ServerChoice, startPostgres } from '../index.js';

/** Runs a server as a product process would, until it reads a line or is killed. */
const [dataDir = '', choice = 'auto', rootsFolder = ''] = process.argv.slice(2);
const kind: ServerChoice = choice === 'embedded' || choice === 'installed' ? choice : 'auto';
const say = (level: string) => (message: string) => process.stdout.write(`${level}: ${message}\n`);
const log = { info: say('info'), warn: say('warn'), error: say('error') };
try {
  const postgres = await startPostgres({ dataDir, choice: kind, log, rootsFolder });
  process.stdout.write(`ready ${postgres.adminUrl} ${postgres.kind} ${postgres.version}\n`);
  process.stdin.once('data', () => {
    void postgres.stop().then(() => process.exit(0));
  });
} catch (error) {
  process.stdout.write(`failed ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
