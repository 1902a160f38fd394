#!/usr/bin/env node
import { logToStderr, runAgent } from './agent.js';
import { ConfigError } from './config-error.js';
import { parseOptions, USAGE } from './config.js';
import { said } from './domain/said.js';

const EXIT_FAILED = 1;
const EXIT_CONFIG = 2;

/** A signal ends the agent after its current step; a second one changes nothing about that. */
async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      logToStderr('stopping', { signal });
      stop.abort();
    });
  }
  try {
    await runAgent(parseOptions(argv), stop.signal);
    return 0;
  } catch (error) {
    if (error instanceof ConfigError) {
      process.stderr.write(`${error.message}\n`);
      return EXIT_CONFIG;
    }
    logToStderr('agent-failed', { reason: said(error) });
    return EXIT_FAILED;
  }
}

process.exitCode = await main(process.argv.slice(2));
