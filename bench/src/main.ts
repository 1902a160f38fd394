import { parseArgs } from 'node:util';
import type { Result, Sizes } from './bench.js';
import { benches } from './benches.js';
import { tableOf } from './table.js';

const OPTIONS = {
  json: { type: 'boolean', default: false },
  events: { type: 'string' },
  rounds: { type: 'string' },
  'slice-ms': { type: 'string' },
} as const;

const usage = [
  'npm run -s bench -- NAME [--json] [--events N] [--rounds N] [--slice-ms N]',
  ...Object.entries(benches).map(([name, { about }]) => `  ${name.padEnd(12)} ${about}`),
].join('\n');

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new Error(`--${name}: must be a whole number of at least 1`);
}

function sizesOf(given: Record<string, string | undefined>): Sizes {
  const events = wholeNumber('events', given['events']);
  const rounds = wholeNumber('rounds', given['rounds']);
  const sliceMs = wholeNumber('slice-ms', given['slice-ms']);
  return {
    ...(events === undefined ? {} : { events }),
    ...(rounds === undefined ? {} : { rounds }),
    ...(sliceMs === undefined ? {} : { sliceMs }),
  };
}

async function main(): Promise<Result> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  const { json, ...sizes } = values;
  const [name = ''] = positionals;
  const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
  if (bench === undefined || positionals.length !== 1) throw new Error(usage);
  const result = await bench.run(sizesOf(sizes));
  console.log(json ? JSON.stringify(result) : tableOf(result));
  return result;
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
