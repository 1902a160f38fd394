import { createInterface } from 'node:readline';
import { eventually } from './eventually.js';

/** Decorators and imports from source have to work in a child as they do under Jest. */
function marked<T extends new () => object>(target: T): T {
  process.stdout.write(`decorated ${target.name}\n`);
  return target;
}

@marked
class Fixture {}

const name = await eventually(() => Fixture.name);
process.stdout.write(`ready ${name} ${process.argv.slice(2).join(' ')}\n`);
process.stderr.write('a complaint\n');
createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'end') process.exit(3);
  process.stdout.write(`echo ${line}\n`);
});
