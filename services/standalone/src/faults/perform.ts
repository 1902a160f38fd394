import { setTimeout as pause } from 'node:timers/promises';
import { type Backed, type Backing, EVENT_STORE_DATABASE } from './backing.js';
import type { Hosts } from './fleet.js';
import type { Point } from './points.js';
import type { Act } from './schedule.js';

/** What an act came to: the points at which processes were killed. */
export type Performed = Readonly<{ killed: readonly Point[]; remark: string }>;

type Kill = Extract<Act, { kind: 'kill' }>;
type Scene = Readonly<{ backing: Backing; hosts: Hosts }>;

const CROSS_MS_MAX = 15_000;
const RESTARTS_MS_MAX = 60_000;

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
  return killCrossing(scene, act);
}

async function killAfter({ hosts }: Scene, { group, replica, delayMs }: Kill): Promise<Performed> {
  const host = hosts.of(group)[replica === 0 ? 0 : 1];
  await pause(delayMs);
  host.kill('SIGKILL');
  await host.ended();
  return { killed: ['random'], remark: host.name };
}

/** Both replicas are armed, for only one of them may have the relay or the partition. */
async function killCrossing(scene: Scene, act: Kill): Promise<Performed> {
  const replicas = scene.hosts.of(act.group);
  const at = new RegExp(`^at ${act.point}$`);
  for (const host of replicas)
    host.arm(act.point, act.point === 'hand-over' ? 1 : act.nth, act.delayMs);
  if (act.point === 'hand-over') await endLeases(scene.backing, act.group);
  const told = await firstOf(replicas.map((host) => host.line(at, CROSS_MS_MAX)));
  // Whoever has not come by yet goes on.
  for (const host of replicas) host.arm('random', 1, 0);
  if (told === null) return { killed: [], remark: 'nobody came by' };
  await pause(50);
  const lines = await Promise.all(replicas.map((host) => host.line(at, 0)));
  const dead = replicas.filter((_, index) => lines[index] !== null);
  await Promise.all(dead.map((host) => host.ended()));
  return { killed: dead.map(() => act.point), remark: dead.map(({ name }) => name).join(', ') };
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

/** Nobody commits while the lock of appends is held here, so the kill comes before the commit. */
async function killCommitting({ backing, hosts }: Scene, act: Kill): Promise<Performed> {
  const host = hosts.of(act.group)[act.replica === 0 ? 0 : 1];
  const store = await backing.admin(EVENT_STORE_DATABASE);
  try {
    return await store.transaction(async (tx) => {
      await tx.rows(`SELECT pg_advisory_xact_lock(hashtextextended('event_store.append', 0))`);
      host.arm('group-commit', 1, 0);
      if ((await host.line(/^at group-commit$/, 4_000)) === null) {
        return { killed: [], remark: 'nothing was appended' };
      }
      const waiting = await waitingWriters(tx);
      host.kill('SIGKILL');
      await host.ended();
      return { killed: ['group-commit'], remark: `${host.name}, ${String(waiting)} waiting` };
    });
  } finally {
    await store.close();
  }
}

async function waitingWriters(tx: Readonly<{ rows: <T>(sql: string) => Promise<T[]> }>) {
  for (let looks = 0; looks < 20; looks += 1) {
    const [row] = await tx.rows<{ count: number }>(
      `SELECT count(*)::int AS count FROM pg_stat_activity
        WHERE application_name LIKE '%writer' AND wait_event = 'advisory'`,
    );
    if ((row?.count ?? 0) > 0) return row?.count ?? 0;
    await pause(10);
  }
  return 0;
}

/** A replica goes and comes again: it is killed while it joins. */
async function killJoining({ hosts }: Scene, act: Kill): Promise<Performed> {
  const host = hosts.of(act.group)[act.replica === 0 ? 0 : 1];
  host.kill('SIGKILL');
  await host.ended();
  const starting = host.start().catch(() => undefined);
  const joining = await host.line(/^joining /, RESTARTS_MS_MAX);
  await pause(act.delayMs);
  host.kill('SIGKILL');
  await host.ended();
  await starting;
  const isSeen = joining !== null;
  return { killed: isSeen ? ['random', 'rebalance'] : ['random'], remark: host.name };
}

async function outage(backed: Backed, how: 'kill' | 'stop', ms: number): Promise<void> {
  await (how === 'kill' ? backed.kill() : backed.stop());
  await pause(ms);
  await backed.restart();
}

async function weather(
  { proxy }: Backed,
  how: Extract<Act, { kind: 'weather' }>['how'],
  ms: number,
): Promise<void> {
  if (how === 'cut') {
    proxy.cut();
    return;
  }
  proxy.set(how === 'delay' ? { kind: 'delay', ms: 40 } : { kind: how });
  await pause(ms);
  proxy.set({ kind: 'clear' });
  if (how === 'half-open') proxy.cut();
}
