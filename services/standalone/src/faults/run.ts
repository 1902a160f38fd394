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
import { lagsOf, type Looks, observe, openLooks } from './observe.js';
import { judge, type Observations } from './oracle.js';
import { perform } from './perform.js';
import type { Point } from './points.js';
import { randomFrom } from './random.js';
import { type Act, scheduleOf } from './schedule.js';
import { prepareSetting, type Tokens } from './setting.js';
import { startWorkload } from './workload.js';

export type RunOptions = Readonly<{
  bus: BusKind;
  seed: number;
  kills: number;
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
const REST_MS_MAX = 120_000;
const FAULTS_SHOWN = 5;

/** One run: a workload, a schedule of faults, and what the oracle says of what is left. */
export async function runFaults(options: RunOptions): Promise<Run> {
  const since = performance.now();
  const parts = createParts();
  try {
    const run = await running(options, parts);
    return { ...run, ms: performance.now() - since };
  } finally {
    await parts.stop();
  }
}

async function running(options: RunOptions, parts: Parts): Promise<Omit<Run, 'ms'>> {
  const { bus, seed, kills, say, onLog } = options;
  const random = randomFrom(seed).fork(bus);
  const dir = await mkdtemp(join(tmpdir(), 'patchtrail-faults-'));
  parts.add(() => rm(dir, { recursive: true, force: true }));
  const backing = await openBacking(bus, dir, createLogger('faults', 'silent'));
  parts.add(backing.close);
  const hosts = createHosts(backing, onLog);
  parts.add(async () => {
    await hosts.stop();
  });
  await hosts.mend();
  const caller = callerOf(hosts.urlFor);
  const tokens: Tokens = {
    pat: await backing.token('pat', 'platform-engineer'),
    ana: await backing.token('ana', 'approver'),
    bo: await backing.token('bo', 'approver'),
  };
  const setting = await prepareSetting(caller, tokens);
  parts.add(setting.close);
  say('the hosts serve and know the patches; the workload starts');
  const work = { caller, tokens, setting, run: `faults-${String(seed)}`, writers: WRITERS };
  const workload = startWorkload({ ...work, random: random.fork('workload') });
  parts.add(workload.stop);
  const acts = scheduleOf(random.fork('schedule'), kills, bus === 'kafka');
  const performed = await performAll({ backing, hosts }, acts, say);
  await mendingUntil(workload.stop(), hosts);
  const looks = await openLooks(backing);
  parts.add(looks.close);
  const restMs = await rest(looks, hosts);
  const seen = await observe(looks, workload.commands(), hosts.writes());
  const faults = judge(seen);
  sayFaults(faults, say);
  const stuck = await hosts.stop();
  return { ...performed, ...figuresOf(seen), retries: caller.retries(), faults, stuck, restMs };
}

async function performAll(
  scene: Parameters<typeof perform>[0],
  acts: readonly Act[],
  say: (line: string) => void,
) {
  const kills = new Map<Point, number>();
  let endedThemselves = 0;
  for (const [index, act] of acts.entries()) {
    const { killed, remark } = await perform(scene, act);
    for (const point of killed) kills.set(point, (kills.get(point) ?? 0) + 1);
    const fell = await scene.hosts.mend();
    endedThemselves += Math.max(0, fell - new Set(remark === '' ? [] : remark.split(', ')).size);
    say(
      `${String(index + 1)}/${String(acts.length)} ${nameOf(act)}${remark === '' ? '' : `: ${remark}`}`,
    );
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

/** Until nobody is behind any more, twice in a row. */
async function rest(looks: Looks, hosts: Hosts): Promise<number> {
  const since = performance.now();
  let calm = 0;
  while (calm < 2 && performance.now() - since < REST_MS_MAX) {
    await hosts.mend();
    // What a fault has left behind may still hold a lock.
    const lags = await lagsOf(looks).catch(() => null);
    calm = lags?.every(({ lag }) => lag === 0) === true ? calm + 1 : 0;
    await pause(250);
  }
  return performance.now() - since;
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
