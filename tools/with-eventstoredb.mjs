/**
 * Runs a command against a double of EventStoreDB: node tools/with-eventstoredb.mjs COMMAND…
 * EVENT_STORE_URL is set for the command; its exit code is passed on.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const root = join(import.meta.dirname, '..');
const [command, ...args] = process.argv.slice(2);
if (command === undefined) {
  console.error('Usage: node tools/with-eventstoredb.mjs COMMAND…');
  process.exit(2);
}

/** Resolves with the exit code; a command ended by a signal or never started counts as failed. */
function ended(child) {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      console.error(error.message);
      resolve(127);
    });
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

const build = spawn(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-b', 'libs/testing'],
  { cwd: root, stdio: ['ignore', 2, 2] },
);
const built = await ended(build);
if (built !== 0) process.exit(built);

const double = spawn(process.execPath, [join(root, 'libs/testing/dist/eventstoredb/main.js')], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const doubleEnded = ended(double);
const firstLine = new Promise((resolve) => {
  createInterface({ input: double.stdout }).once('line', resolve);
});
const url = await Promise.race([firstLine, doubleEnded.then(() => null)]);
if (url === null) {
  console.error('The double of EventStoreDB did not start.');
  process.exit(1);
}
console.error(`EVENT_STORE_URL=${url} (a double of EventStoreDB)`);

const child = spawn(command, args, {
  stdio: 'inherit',
  env: { ...process.env, EVENT_STORE_URL: url },
});
// A terminal's Ctrl-C reaches the command by itself; the double must outlive it.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => child.kill('SIGTERM'));
process.exitCode = await ended(child);
double.kill('SIGTERM');
await doubleEnded;
