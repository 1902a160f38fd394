import { setTimeout as pause } from 'node:timers/promises';
import type { Sql } from '@patchtrail/postgres';
import { EVENT_STORE } from '../databases.js';
import type { Backed, Backing } from './backing.js';
import type { Hosts } from './fleet.js';
import type { HostProcess } from './host-process.js';
import type { Point } from './points.js';
import type { Weather } from './proxy.js';
import type { Act } from './schedule.js';

/** What an act came to: the points at which processes were killed. */
export type Performed = Readonly<{ killed: readonly Point[]; remark: string }>;

type Kill = Extract<Act, { kind: 'kill' }>;
type Bad = Extract<Act, { kind: 'weather' }>;
type Scene = Readonly<{ backing: Backing; hosts: Hosts }>;

const CROSS_MS_MAX = 15_000;
const RESTARTS_MS_MAX = 60_000;
const LAST_WORDS_MS = 50;
const GATHER_MS_MAX = 5_000;
const GROUP_MIN = 2;
const LOCK_LOOKS_MAX = 100;
const DELAY_MS = 40;

export async function perform(scene: Scene, act: Act): Promise<Performed> {
  if (act.kind === 'kill') return kill(scene, act);
  const backed = act.of === 'database' ? scene.backing.database : scene.backing.broker;
  if (backed === null) return { killed: [], remark: 'there is no broker' };
  if (act.kind === 'outage') await outage(backed, act.how, act.ms);
  else await weather(backed, act.how, act.ms);
  return { killed: [], remark: '' };
}

async function kill(scene: Scene, act: Kill): Promise<Performed> {
  if (act.point === 'random') return killAfter(scene, act);
  if (act.point === 'rebalance') return killJoining(scene, act);
  if (act.point === 'group-commit') return killCommitting(scene, act);
  return act.point === 'hand-over' ? killTakingOver(scene, act) : killCrossing(scene, act);
}

async function killAfter({ hosts }: Scene, { group, replica, delayMs }: Kill): Promise<Performed> {
  const host = hosts.of(group)[replica === 0 ? 0 : 1];
  await pause(delayMs);
  host.kill('SIGKILL');
  await host.ended();
  return { killed: ['random'], remark: host.name };
}

/** Both replicas are armed, for only one of them may have the relay or the partition. */
async function killCrossing({ hosts }: Scene, act: Kill): Promise<Performed> {
  const replicas = hosts.of(act.group);
  for (const host of replicas) host.arm(act.point, act.nth, act.delayMs);
  return crossing(replicas, act.point);
}

async function crossing(replicas: readonly HostProcess[], point: Point): Promise<Performed> {
  const at = new RegExp(`^at ${point}$`);
  const told = await firstOf(replicas.map((host) => host.line(at, CROSS_MS_MAX)));
  // Whoever has not come by yet goes on.
  for (const host of replicas) host.arm('random', 1, 0);
  if (told === null) return { killed: [], remark: 'nobody came by' };
  await pause(LAST_WORDS_MS);
  const dead = replicas.filter((host) => host.count(at) > 0);
  await Promise.all(dead.map((host) => host.ended()));
  return { killed: dead.map(() => point), remark: dead.map(({ name }) => name).join(', ') };
}

/**
 * The replica that has the leases stands still in whatever it is doing while they are lost, the
 * other takes over and is killed as it does. The first goes on after that, not knowing that it was
 * replaced.
 */
async function killTakingOver({ backing, hosts }: Scene, act: Kill): Promise<Performed> {
  const [one, other] = hosts.of(act.group);
  const still = hosts.holderIn(act.group) ?? (act.replica === 0 ? one : other);
  const next = still === one ? other : one;
  still.kill('SIGSTOP');
  try {
    next.arm(act.point, 1, 0);
    await endLeases(backing, act.group);
    const { killed, remark } = await crossing([next], act.point);
    return { killed, remark: `${remark}, while ${still.name} stood still` };
  } finally {
    still.kill('SIGCONT');
  }
}

async function firstOf(waiting: readonly Promise<string | null>[]): Promise<string | null> {
  const found = waiting.map(async (one) => {
    const line = await one;
    if (line === null) throw new Error('not here');
    return line;
  });
  return Promise.any(found).catch(() => null);
}

/** The holders lose their leases as by a broken connection; a replica or they themselves take over. */
async function endLeases(backing: Backing, group: Kill['group']): Promise<void> {
  const name = group === 'front' ? 'lease outbox-relay/%' : 'lease reaction %';
  const db = await backing.admin('postgres');
  try {
    await db.rows(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE $1`,
      [name],
    );
  } finally {
    await db.close();
  }
}

/**
 * Nobody commits while the lock of appends is held here: several appends are in one transaction,
 * which waits for the lock, when the process ends.
 */
async function killCommitting({ backing, hosts }: Scene, act: Kill): Promise<Performed> {
  const host = hosts.of(act.group)[act.replica === 0 ? 0 : 1];
  const store = await backing.admin(EVENT_STORE);
  try {
    return await store.transaction(async (tx) => {
      await tx.rows(`SELECT pg_advisory_xact_lock(hashtextextended('event_store.append', 0))`);
      host.arm('group-commit', 1, 0);
      const at = /^at group-commit$/;
      const isTold = (await host.line(at, GATHER_MS_MAX)) !== null;
      const isWaiting = isTold && (await waitsForLock(tx));
      const appends = host.count(at);
      host.arm('random', 1, 0);
      if (!isWaiting || appends < GROUP_MIN)
        return { killed: [], remark: 'no group came together' };
      host.kill('SIGKILL');
      await host.ended();
      return { killed: ['group-commit'], remark: `${host.name}, ${String(appends)} appends` };
    });
  } finally {
    await store.close();
  }
}

async function waitsForLock(tx: Sql): Promise<boolean> {
  for (let looks = 0; looks < LOCK_LOOKS_MAX; looks += 1) {
    const waiting = await tx.rows(
      `SELECT 1 FROM pg_stat_activity
        WHERE application_name LIKE '%event store writer' AND wait_event = 'advisory'`,
    );
    if (waiting.length > 0) return true;
    await pause(10);
  }
  return false;
}

/** A replica goes and comes again: it is killed while it joins, before it has all its partitions. */
async function killJoining({ hosts }: Scene, act: Kill): Promise<Performed> {
  const host = hosts.of(act.group)[act.replica === 0 ? 0 : 1];
  host.kill('SIGKILL');
  await host.ended();
  const starting = host.start().catch(() => undefined);
  const joining = await host.line(/^joining /, RESTARTS_MS_MAX);
  await pause(act.delayMs);
  // What it has not been given by now is in a rebalance; a bus that does not say so takes a second.
  const given = host.log().split('The member has its partitions.').length - 1;
  const isWithin = joining !== null && given < host.count(/^joining /);
  host.kill('SIGKILL');
  await host.ended();
  await starting;
  return { killed: ['random', isWithin ? 'rebalance' : 'random'], remark: host.name };
}

async function outage(backed: Backed, how: 'kill' | 'stop', ms: number): Promise<void> {
  await (how === 'kill' ? backed.kill() : backed.stop());
  await pause(ms);
  await backed.restart();
}

function weatherOf(how: Exclude<Bad['how'], 'cut'>): Weather {
  if (how === 'delay') return { kind: 'delay', ms: DELAY_MS };
  return { kind: how === 'vanish' ? 'half-open' : how };
}

async function weather({ proxy }: Backed, how: Bad['how'], ms: number): Promise<void> {
  if (how === 'cut') {
    proxy.cut();
    return;
  }
  proxy.set(weatherOf(how));
  await pause(ms);
  proxy.set({ kind: 'clear' });
  // Otherwise the connections of then stay dead without a sign.
  if (how === 'half-open') proxy.cut();
}
