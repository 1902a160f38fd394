import { missingForKafka } from '@patchtrail/messaging/kafka-broker';
import { type BusKind, faultsConfig, type FaultsConfig } from './config.js';
import { isSeen, MUTATED_HOSTS } from './mutants/mutated.js';
import { type Caught, catchMutants } from './mutants/run-mutant.js';
import { RULES } from './oracle.js';
import { POINT_NAMES, POINTS } from './points.js';
import { type Run, runFaults } from './run.js';

type Check = Readonly<{ name: string; ok: boolean }>;
type Say = (line: string) => void;

/** Runs on every bus that can be had here, and says at its end what was killed and what held. */
export async function main(): Promise<void> {
  const config = faultsConfig();
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const seed = String(config.seed);
  say(`Seed ${seed}: npm run test:faults -- --seed ${seed}`);
  const checks: Check[] = [];
  let skipped = 0;
  for (const bus of config.buses) {
    const missing = bus === 'kafka' ? await missingForKafka() : null;
    if (missing === null) {
      checks.push(...(await checkBus(bus, config, say)));
    } else {
      say(`${bus}: ${missing}`);
      skipped += 1;
      if (config.isComplete) checks.push({ name: `${bus} can be had`, ok: false });
    }
  }
  checks.push(...checkMutants(say));
  if (config.hasMutants) checks.push(...(await checkMutatedHosts(config, say)));
  const failed = checks.filter(({ ok }) => !ok);
  for (const { name } of failed) say(`FAILED ${name}`);
  say(`seed ${seed}`);
  const passed = checks.length - failed.length;
  say(`${String(passed)} passed, ${String(failed.length)} failed, ${String(skipped)} skipped`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

async function checkBus(bus: BusKind, config: FaultsConfig, say: Say): Promise<readonly Check[]> {
  const run = await runFaults({
    ...{ bus, seed: config.seed, kills: killsOn(config), mutant: null },
    say: (line) => say(`${bus}: ${line}`),
    onLog: logTo(config),
  });
  tableOf(bus, run).forEach(say);
  return [
    ...RULES.map(({ name }) => ({ name: `${bus}: ${name}`, ok: !run.faults.has(name) })),
    ...POINT_NAMES.map((name) => ({
      name: `${bus}: a kill at ${name}`,
      ok: (run.kills.get(name) ?? 0) > 0,
    })),
    { name: `${bus}: commands were acknowledged`, ok: run.commands.acknowledged > 0 },
    { name: `${bus}: every host stops in order`, ok: run.stuck.length === 0 },
  ];
}

function logTo({ isVerbose }: FaultsConfig): (text: string) => void {
  return (text) => {
    if (isVerbose) process.stderr.write(text);
  };
}

/** Each bus has its part, and every point at least once. */
function killsOn({ kills, buses }: FaultsConfig): number {
  return Math.max(POINT_NAMES.length, Math.ceil(kills / buses.length));
}

function tableOf(bus: BusKind, run: Run): readonly string[] {
  const width = widthOf(POINT_NAMES);
  const { acknowledged, refused, unknown } = run.commands;
  const total = [...run.kills.values()].reduce((sum, count) => sum + count, 0);
  return [
    '',
    `kills on ${bus}`,
    ...POINT_NAMES.map((name) => {
      const count = String(run.kills.get(name) ?? 0).padStart(4);
      return `  ${name.padEnd(width)} ${count}  ${POINTS[name]}`;
    }),
    `  ${'in all'.padEnd(width)} ${String(total).padStart(4)}`,
    `  ${String(acknowledged)} commands acknowledged, ${String(refused)} refused, ${String(unknown)} unanswered; ${String(run.retries)} tries repeated`,
    `  ${String(run.events)} events, ${String(run.messages)} messages on the bus; at rest after ${seconds(run.restMs)}; ${seconds(run.ms)} in all`,
    `  ${String(run.endedThemselves)} hosts gave up by themselves and were started again`,
    '',
  ];
}

const widthOf = (names: readonly string[]) => Math.max(...names.map((name) => name.length));
const RULE_WIDTH = widthOf(RULES.map(({ name }) => name));

/** Which rule saw what is wrong on purpose, in the product in miniature. */
function checkMutants(say: Say): readonly Check[] {
  say('mutants of the product in miniature, by the rule that must see them');
  const caught = catchMutants();
  for (const one of caught) say(`  ${lineOf(one)}`);
  say('');
  return caught.map(({ mutant: { rule, name }, seed }) => ({
    name: `${rule} sees that ${name}`,
    ok: seed !== null,
  }));
}

function lineOf({ mutant: { rule, name }, seed, rules }: Caught): string {
  const also = rules.filter((other) => other !== rule).join(', ');
  const seen = seed === null ? 'NOT SEEN' : `seed ${String(seed)}`;
  return `${rule.padEnd(RULE_WIDTH)}  ${name} (${seen}${also === '' ? '' : `; also ${also}`})`;
}

/** The product itself, of which one port is wrong; its processes are killed as ever. */
async function checkMutatedHosts(config: FaultsConfig, say: Say): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const mutant of MUTATED_HOSTS) {
    const run = await runFaults({
      ...{ bus: 'postgres', seed: config.seed, kills: 0, mutant },
      say: () => undefined,
      onLog: logTo(config),
    });
    const broken = [...run.faults.keys()];
    say(`mutant: ${mutant.name}: ${broken.length === 0 ? 'NOT SEEN' : broken.join(', ')}`);
    checks.push({ name: `it is seen that ${mutant.name}`, ok: isSeen(mutant, broken) });
  }
  say('');
  return checks;
}

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
