import { readSync, writeSync } from 'node:fs';
import { type Log, parseOptions, runAgent } from '@patchtrail/agent';

const STDIN = 0;
const STDOUT = 1;

/**
 * The agent, but it stands still once it has confirmed a lease and before anything is installed,
 * until a line comes in. What it logs goes to standard output.
 */
const log: Log = (event, fields = {}) => {
  writeSync(STDOUT, `${JSON.stringify({ event, ...fields })}\n`);
  if (event === 'attempt-started') readSync(STDIN, Buffer.alloc(100));
};

const stop = new AbortController();
process.once('SIGTERM', () => {
  stop.abort();
  process.stdin.destroy();
});
await runAgent(parseOptions(process.argv.slice(2)), stop.signal, log);
