import { createInterface } from 'node:readline';
import { createLogger } from '@patchtrail/platform';
import { standaloneConfig } from '../config.js';
import { startStandalone } from '../standalone.js';
import { createCrossings } from './crossings.js';
import { MUTATED_HOSTS, type MutatedHost } from './mutants/mutated.js';
import { pointNamed } from './points.js';
import { watchedBus, watchedDatabase, watchedStore } from './watched.js';

/**
 * The product, whose ports are watched: it ends itself at the point that a line of its input arms
 * (`arm <point> <n> <delayMs>`), and it ends with its input, which only the harness holds open.
 * An argument names a mutant: then one of its ports does what it must not.
 */
const crossings = createCrossings();
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const [verb, name = '', nth = '1', delayMs = '0'] = line.split(' ');
    const point = pointNamed(name);
    if (verb === 'arm' && point !== null) crossings.arm(point, Number(nth), Number(delayMs));
  })
  .on('close', () => process.exit(1));

/** Without a name, or for ports that the mutant leaves alone, nothing is wrong. */
const [, , mutantName] = process.argv;
const same = <T>(port: T): T => port;
const {
  store: storeOf = same,
  bus: busOf = same,
  db: dbOf = same,
}: Partial<MutatedHost> = MUTATED_HOSTS.find(({ name }) => name === mutantName) ?? {};

const config = standaloneConfig();
const running = await startStandalone(config, createLogger(config.instance), {
  decorateBus: (bus) => watchedBus(busOf(bus), crossings),
  decorateStore: (store) => watchedStore(storeOf(store), crossings),
  decorateDatabase: (db) => watchedDatabase(dbOf(db), crossings),
});
process.stdout.write(`Patchtrail is ready at ${running.facts.url}\n`);
void running.failed.then((cause) => {
  process.stderr.write(`Patchtrail cannot go on: ${String(cause)}\n`);
  process.exit(1);
});
process.once('SIGTERM', () => {
  void running.stop().then(() => process.exit(0));
});
