import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createLogger } from '@patchtrail/platform';
import { createParts, type Parts } from '../parts.js';
import { openBacking } from './backing.js';
import { callerOf } from './client.js';
import type { BusKind } from './config.js';
import { createHosts, type Hosts } from './fleet.js';
import type { MutatedHost } from './mutants/mutated.js';
import { lagsOf, type Looks, observe, openLooks } from './observe.js';
import { judge, type Observations } from './oracle.js';
import { perform } from './perform.js';
import { type Point, POINT_NAMES } from './points.js';
import { type Random, randomFrom } from './random.js';
import { type Act, killAt, scheduleOf } from './schedule.js';
import { prepareSetting, type Tokens } from './setting.js';
import { startWorkload } from './workload.js';

export type RunOptions = Readonly<{
  bus: BusKind;
  seed: number;
  kills: number;
  /** Hosts of which one port is wrong, killed where that shows; `null` for the product itself. */
  mutant: MutatedHost | null;
  say: (line: string) => void;
  /** What the hosts log. */
  onLog: (text: string) => void;
}>;

export type Run = Readonly<{
  /** How often a process was killed at each point. */
  kills: ReadonlyMap<Point, number>;
  commands: Readonly<Record<'acknowledged' | 'refused' | 'unknown', number>>;
  retries: number;
  events: number;
  messages: number;
  /** Processes that ended without being told to. */
  endedThemselves: number;
  /** Those that did not stop in order. */
  stuck: readonly string[];
  faults: ReadonlyMap<string, readonly string[]>;
  restMs: number;
  ms: number;
}>;

const WRITERS = 6;
/** A mutant shows soon, and its hosts have to come to rest. */
const WRITERS_FEW = 3;
/** Without anybody coming nearer, and in all. */
const STILL_MS_MAX = 60_000;
const MUTANT_STILL_MS_MAX = 15_000;
const REST_MS_MAX = 300_000;
const AGAIN_MAX = 6;
const SAY_MS = 15_000;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const FAULTS_SHOWN = 5;

/**
 * One run: a workload, a schedule of faults, and what the oracle says of what is left. It ends what
 * it started, also when it is told to end itself.
 */
export async function runFaults(options: RunOptions): Promise<Run> {
  const since = performance.now();
  const parts = createParts();
  const giveUp = () => {
    void parts.stop().finally(() => process.exit(1));
  };
  for (const signal of SIGNALS) process.once(signal, giveUp);
  try {
    const run = await running(options, parts);
    return { ...run, ms: performance.now() - since };
  } finally {
    for (const signal of SIGNALS) process.off(signal, giveUp);
    await parts.stop();
  }
}

async function running(options: RunOptions, parts: Parts): Promise<Omit<Run, 'ms'>> {
  const { bus, seed, kills, mutant, say, onLog } = options;
  const random = randomFrom(seed).fork(bus);
  const dir = await mkdtemp(join(tmpdir(), 'patchtrail-faults-'));
  parts.add(() => rm(dir, { recursive: true, force: true }));
  const backing = await openBacking(bus, dir, createLogger('faults', 'silent'));
  parts.add(backing.close);
  const hosts = createHosts(backing, mutant?.name ?? null, onLog);
  parts.add(async () => {
    await hosts.stop();
  });
  await hosts.mend();
  const caller = callerOf(hosts.urlFor);
  const tokens: Tokens = {
    pat: () => backing.token('pat', 'platform-engineer'),
    ana: () => backing.token('ana', 'approver'),
    bo: () => backing.token('bo', 'approver'),
  };
  const setting = await prepareSetting(caller, tokens);
  parts.add(setting.close);
  say('the hosts serve and know the patches; the workload starts');
  const work = {
    caller,
    tokens,
    setting,
    run: `faults-${String(seed)}`,
    writers: mutant === null ? WRITERS : WRITERS_FEW,
  };
  const workload = startWorkload({ ...work, random: random.fork('workload') });
  parts.add(workload.stop);
  const order = random.fork('schedule');
  const acts =
    mutant?.points.map((point) => killAt(order, point, mutant.group)) ??
    scheduleOf(order, kills, bus === 'kafka');
  const again = mutant === null ? AGAIN_MAX : 0;
  const performed = await performAll({ backing, hosts }, acts, random.fork('again'), again, say);
  await mendingUntil(workload.stop(), hosts);
  const looks = await openLooks(backing);
  parts.add(looks.close);
  const restMs = await rest(
    looks,
    hosts,
    mutant === null ? STILL_MS_MAX : MUTANT_STILL_MS_MAX,
    say,
  );
  const seen = await observe(looks, workload.commands(), hosts.writes());
  const faults = judge(seen);
  sayFaults(faults, say);
  const stuck = await hosts.stop();
  return { ...performed, ...figuresOf(seen), retries: caller.retries(), faults, stuck, restMs };
}

/** The schedule, and then the points at which nobody came by, a bounded number of times. */
async function performAll(
  scene: Parameters<typeof perform>[0],
  acts: readonly Act[],
  random: Random,
  againMax: number,
  say: (line: string) => void,
) {
  const kills = new Map<Point, number>();
  let endedThemselves = 0;
  const one = async (act: Act) => {
    const { killed, remark } = await perform(scene, act);
    say(`${nameOf(act)}${remark === '' ? '' : `: ${remark}`}`);
    for (const point of killed) kills.set(point, (kills.get(point) ?? 0) + 1);
    const down = await scene.hosts.mend();
    endedThemselves += Math.max(0, down - new Set(killed).size);
  };
  for (const act of acts) await one(act);
  for (let tries = 0; tries < againMax; tries += 1) {
    const missed = POINT_NAMES.find((point) => !kills.has(point));
    if (missed !== undefined) await one(killAt(random, missed));
  }
  return { kills, endedThemselves };
}

function nameOf(act: Act): string {
  if (act.kind === 'kill') return act.point;
  const lasting = act.ms === 0 ? '' : ` for ${String(act.ms)} ms`;
  return `${act.of} ${act.kind === 'outage' ? 'ended by ' : ''}${act.how}${lasting}`;
}

/** As whoever supervises them would: a fault may end a host a moment later. */
async function mendingUntil(done: Promise<void>, hosts: Hosts): Promise<void> {
  let isDone = false;
  const end = () => (isDone = true);
  done.then(end, end);
  const isOver = () => isDone;
  while (!isOver()) {
    await hosts.mend();
    await pause(200);
  }
  await done;
}

/** Until nobody is behind any more, twice in a row, or nobody comes nearer. */
async function rest(
  looks: Looks,
  hosts: Hosts,
  stillMsMax: number,
  say: (line: string) => void,
): Promise<number> {
  const since = performance.now();
  let [calm, least, leastAt, sayAt] = [0, Infinity, since, since + SAY_MS];
  for (let now = since; calm < 2; now = performance.now()) {
    if (now - leastAt > stillMsMax || now - since > REST_MS_MAX) break;
    await hosts.mend();
    // What a fault has left behind may still hold a lock.
    const lags = await lagsOf(looks).catch(() => null);
    const behind = lags?.reduce((sum, { lag }) => sum + lag, 0) ?? Infinity;
    calm = behind === 0 ? calm + 1 : 0;
    if (behind < least) [least, leastAt] = [behind, performance.now()];
    if (now >= sayAt) {
      say(`waiting: ${behindOf(lags)}`);
      sayAt = now + SAY_MS;
    }
    await pause(250);
  }
  return performance.now() - since;
}

function behindOf(lags: Observations['lags'] | null): string {
  if (lags === null) return 'the database does not say who is behind';
  const late = lags.filter(({ lag }) => lag !== 0);
  return late.map(({ what, lag }) => `${what} is ${String(lag)} behind`).join(', ');
}

function sayFaults(faults: Run['faults'], say: (line: string) => void): void {
  for (const [rule, found] of faults) {
    say(`BROKEN ${rule}: ${String(found.length)} faults`);
    for (const fault of found.slice(0, FAULTS_SHOWN)) say(`  ${fault}`);
  }
}

function figuresOf({ commands, events, messages }: Observations) {
  const count = (wanted: 'acknowledged' | 'refused' | 'unknown') =>
    commands.filter(({ outcome }) => outcome === wanted).length;
  return {
    commands: {
      acknowledged: count('acknowledged'),
      refused: count('refused'),
      unknown: count('unknown'),
    },
    events: events.length,
    messages: messages.length,
  };
}
