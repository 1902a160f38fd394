#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { createLocalIssuer } from './local-issuer.js';
import { readTokenArguments, TOKEN_USAGE } from './token-arguments.js';

async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      dir: { type: 'string' },
      sub: { type: 'string' },
      role: { type: 'string', multiple: true },
      department: { type: 'string', multiple: true },
      ttl: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) {
    process.stdout.write(`${TOKEN_USAGE}\n`);
    return;
  }
  const { dir, ...request } = readTokenArguments(values);
  const issuer = await createLocalIssuer(dir);
  process.stdout.write(`${await issuer.mint(request)}\n`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
});
