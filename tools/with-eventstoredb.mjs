/**
 * Runs a command against a double of EventStoreDB: node tools/with-eventstoredb.mjs COMMAND…
 * EVENT_STORE_URL is set for the command; its exit code is passed on.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const libs = join(import.meta.dirname, '../libs');
const [command, ...args] = process.argv.slice(2);
if (command === undefined) {
  console.error('Usage: node tools/with-eventstoredb.mjs COMMAND…');
  process.exit(2);
}

/** Resolves with the exit code; a command ended by a signal or never started has failed. */
function ended(child) {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      console.error(error.message);
      resolve(127);
    });
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

// From source, so nothing needs to be built. It ends with its standard input, hence with this process.
const double = spawn(
  process.execPath,
  [
    '--import',
    new URL('../libs/testing/src/jest/source-hooks.mjs', import.meta.url).href,
    join(libs, 'testing/src/eventstoredb/main.ts'),
    '--until-input-ends',
  ],
  { stdio: ['pipe', 'pipe', 'inherit'], detached: true },
);
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
// A terminal's Ctrl-C reaches the command by itself; here its end is waited for.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => child.kill('SIGTERM'));
process.exitCode = await ended(child);
double.kill('SIGTERM');
await doubleEnded;
