import { missingForKafka } from '@patchtrail/messaging/kafka-broker';
import { type BusKind, faultsConfig, type FaultsConfig } from './config.js';
import { type Caught, catchMutants } from './mutants/run-mutant.js';
import { RULES } from './oracle.js';
import { POINT_NAMES, POINTS } from './points.js';
import { type Run, runFaults } from './run.js';

type Check = Readonly<{ name: string; ok: boolean }>;

/** Runs on every bus that can be had here, and says at its end what was killed and what held. */
export async function main(): Promise<void> {
  const config = faultsConfig();
  const say = (line: string) => process.stdout.write(`${line}\n`);
  say(`Seed ${String(config.seed)}: npm run test:faults -- --seed ${String(config.seed)}`);
  const checks: Check[] = [];
  let skipped = 0;
  for (const bus of config.buses) {
    const missing = bus === 'kafka' ? await missingForKafka() : null;
    if (missing !== null) {
      say(`${bus}: ${missing}`);
      skipped += 1;
      if (config.isComplete) checks.push({ name: `${bus} can be had`, ok: false });
      continue;
    }
    const run = await runFaults({
      ...{ bus, seed: config.seed, kills: killsOn(config) },
      say: (line) => say(`${bus}: ${line}`),
      onLog: (text) => {
        if (config.isVerbose) process.stderr.write(text);
      },
    });
    tableOf(bus, run).forEach(say);
    checks.push(...checksOf(bus, run));
  }
  const caught = catchMutants();
  mutantsOf(caught).forEach(say);
  checks.push(
    ...caught.map(({ mutant, seed }) => ({
      name: `${mutant.rule} sees that ${mutant.name}`,
      ok: seed !== null,
    })),
  );
  const failed = checks.filter(({ ok }) => !ok);
  for (const { name } of failed) say(`FAILED ${name}`);
  say(`seed ${String(config.seed)}`);
  const passed = checks.length - failed.length;
  say(`${String(passed)} passed, ${String(failed.length)} failed, ${String(skipped)} skipped`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

/** Each bus has its part, and every point at least once. */
function killsOn({ kills, buses }: FaultsConfig): number {
  return Math.max(POINT_NAMES.length, Math.ceil(kills / buses.length));
}

function tableOf(bus: BusKind, run: Run): readonly string[] {
  const width = Math.max(...POINT_NAMES.map((name) => name.length));
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
    '',
  ];
}

/** Which rule saw what is wrong on purpose, in the product in miniature. */
function mutantsOf(caught: readonly Caught[]): readonly string[] {
  const width = Math.max(...RULES.map(({ name }) => name.length));
  const lines = caught.map(({ mutant: { rule, name }, seed, rules }) => {
    const also = rules.filter((other) => other !== rule).join(', ');
    const seen = seed === null ? 'NOT SEEN' : `seed ${String(seed)}`;
    return `  ${rule.padEnd(width)}  ${name} (${seen}${also === '' ? '' : `; also ${also}`})`;
  });
  return ['mutants, by the rule that must see them', ...lines, ''];
}

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;

function checksOf(bus: BusKind, run: Run): readonly Check[] {
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
