import { loadavg } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { openPostgresBus } from '@patchtrail/messaging';
import { openKafkaBus } from '@patchtrail/messaging/kafka';
import { missingForKafka, type RunningKafka, startKafka } from '@patchtrail/messaging/kafka-broker';
import { type Approvals, openApprovals, type Settled } from './approvals.js';
import { type Bench, ratioOf, type Sizes } from './bench.js';
import { runSlice, summaryOf } from './closed-loop.js';
import { type BenchServer, withDurableServer } from './durable-postgres.js';
import { type Host, type Profile, startHost } from './host.js';
import { rawKafka, rawNotification, type RawPath } from './raw-path.js';
import { connect } from './raw-table.js';

const IN_FLIGHT = 16;
const WARM_UP = 20;
/** One at a time: a command for so many milliseconds of a slice. */
const IDLE_EVERY_MS = 150;
const IDLE_MIN = 5;
const BEFORE_KILL_MS = 1_000;

/** From a command that approval has accepted to the rollout that deployment created for it. */
export const endToEnd: Bench = {
  about: 'milliseconds from an accepted command to its effect in another service, both profiles',
  missing: missingForKafka,
  run: async ({ sliceMs = 15_000 }: Sizes) => {
    const load = Number((loadavg()[0] ?? 0).toFixed(1));
    const standalone = await withDurableServer((server) => onPostgres(server, sliceMs));
    const distributed = await withDurableServer((server) => onKafka(server, sliceMs));
    const [ours, limit] = [distributed.idle.p50Ms, distributed.raw.p50Ms];
    return {
      ...{ name: 'end-to-end', ours, limit, ratio: ratioOf(ours, limit), unit: 'ms' },
      detail: { conditions: { sliceMs, inFlight: IN_FLIGHT, load }, standalone, distributed },
    };
  },
};

function onPostgres({ adminUrl, version: postgres }: BenchServer, sliceMs: number) {
  return withHost('standalone', { DATABASE_URL: adminUrl }, async (host) => {
    const bus = await openPostgresBus({ url: databaseOn(adminUrl, 'patchtrail_bus') });
    try {
      return await withStore(adminUrl, async ({ store, other, approvals }) => {
        const raw = await latencyOf(await rawNotification(store, other), sliceMs);
        const measured = await measure(await approvals(host, bus), sliceMs);
        return { postgres, raw, ...measured, ratio: ratioOf(measured.idle.p50Ms, raw.p50Ms) };
      });
    } finally {
      await bus.close();
    }
  });
}

async function onKafka({ adminUrl, version: postgres }: BenchServer, sliceMs: number) {
  const kafka = await startKafka();
  try {
    const { brokers } = kafka;
    const places = { DATABASE_URL: adminUrl, KAFKA_BROKERS: brokers.join(',') };
    return await withHost('distributed', places, async (host) => {
      const bus = await openKafkaBus({ brokers });
      try {
        return await withStore(adminUrl, async ({ store, other, approvals }) => {
          const raw = await latencyOf(await rawKafka(store, other, brokers, bus), sliceMs);
          const opened = await approvals(host, bus);
          const measured = await measure(opened, sliceMs);
          const restart = await restarted(opened, kafka, measured.halfLoad.commandsPerSecond);
          const ratio = ratioOf(measured.idle.p50Ms, raw.p50Ms);
          return { postgres, raw, ...measured, ratio, 'broker killed under load': restart };
        });
      } finally {
        await bus.close();
      }
    });
  } finally {
    await kafka.stop();
  }
}

async function withHost<T>(
  profile: Profile,
  places: Readonly<Record<string, string>>,
  work: (host: Host) => Promise<T>,
): Promise<T> {
  const host = await startHost(profile, places);
  try {
    return await work(host);
  } finally {
    await host.stop();
  }
}

/** The product's event store as its administrator, whom raw rows beside it are allowed. */
async function withStore<T>(
  adminUrl: string,
  work: (open: {
    store: Awaited<ReturnType<typeof connect>>;
    other: Awaited<ReturnType<typeof connect>>;
    approvals: (host: Host, bus: Parameters<typeof openApprovals>[1]) => Promise<Approvals>;
  }) => Promise<T>,
): Promise<T> {
  const url = databaseOn(adminUrl, 'patchtrail_event_store');
  const [store, other] = [await connect(url), await connect(url)];
  try {
    const approvals = (host: Host, bus: Parameters<typeof openApprovals>[1]) =>
      openApprovals(host, bus, store);
    return await work({ store, other, approvals });
  } finally {
    await Promise.all([store.end(), other.end()]);
  }
}

function databaseOn(adminUrl: string, database: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  return url.href;
}

async function latencyOf(raw: RawPath, sliceMs: number) {
  try {
    return summarized(await raw.measure(idleCount(sliceMs)));
  } finally {
    await raw.close();
  }
}

async function measure(approvals: Approvals, sliceMs: number) {
  await oneAtATime(approvals, Math.min(WARM_UP, idleCount(sliceMs)));
  const idle = summarized(await oneAtATime(approvals, idleCount(sliceMs)));
  const full = await atFullLoad(approvals, sliceMs);
  const commandsPerSecond = rounded(full.effectsPerSecond / 2);
  const mark = await approvals.mark();
  const half = startAsking(approvals, commandsPerSecond);
  await pause(sliceMs);
  await half.stop();
  const halfLoad = { commandsPerSecond, ...summarized(await approvals.settled(mark)) };
  return { idle, halfLoad, full };
}

async function oneAtATime(approvals: Approvals, count: number): Promise<readonly Settled[]> {
  const mark = await approvals.mark();
  for (let n = 0; n < count; n += 1) await approvals.untilActedOn(await approvals.ask(), mark);
  return approvals.settled(mark);
}

/** As many effects as there can be: commands without a pause, and what they leave behind. */
async function atFullLoad(approvals: Approvals, sliceMs: number) {
  const mark = await approvals.mark();
  const begin = Date.now();
  const slice = await runSlice(IN_FLIGHT, sliceMs, async () => {
    await approvals.ask();
  });
  const all = await approvals.settled(mark);
  const end = Math.max(...all.map(({ actedAt }) => actedAt.getTime()));
  const { rate, p50Ms, p99Ms } = summaryOf([slice]);
  return {
    effectsPerSecond: rounded((all.length / (end - begin)) * 1_000),
    answersPerSecond: rate,
    'until answered': { p50Ms, p99Ms },
  };
}

/** At a steady rate, whatever the answers take. `stop` waits for the last of them. */
function startAsking(approvals: Approvals, perSecond: number) {
  const asked: Promise<string>[] = [];
  const begin = performance.now();
  let isStopped = false;
  const asking = async () => {
    while (!isStopped) {
      const waitMs = begin + (asked.length / perSecond) * 1_000 - performance.now();
      if (waitMs > 0) await pause(waitMs);
      asked.push(approvals.ask());
    }
    await Promise.all(asked);
  };
  const done = asking();
  // Thrown by stop.
  done.catch(() => undefined);
  return {
    stop: () => {
      isStopped = true;
      return done;
    },
  };
}

/** Kills the broker under load and starts it again at once; every command has its effect after all. */
async function restarted(approvals: Approvals, kafka: RunningKafka, perSecond: number) {
  const mark = await approvals.mark();
  const load = startAsking(approvals, perSecond);
  await pause(BEFORE_KILL_MS);
  await kafka.kill();
  const killedAt = new Date();
  await kafka.restart();
  const servesAt = new Date();
  const first = await approvals.firstActed(mark, killedAt);
  await load.stop();
  const all = await approvals.settled(mark);
  const seconds = (from: Date, to: Date) => rounded((to.getTime() - from.getTime()) / 1_000);
  return {
    secondsDown: seconds(killedAt, servesAt),
    secondsFromKillToEffect: seconds(killedAt, first.actedAt),
    secondsFromServingToEffect: seconds(servesAt, first.actedAt),
    commands: all.length,
  };
}

function idleCount(sliceMs: number): number {
  return Math.max(IDLE_MIN, Math.round(sliceMs / IDLE_EVERY_MS));
}

function summarized(settled: readonly Settled[]) {
  const latencies = settled.map(
    ({ acceptedAt, actedAt }) => actedAt.getTime() - acceptedAt.getTime(),
  );
  const { p50Ms, p99Ms } = summaryOf([{ done: settled.length, failed: 0, ms: 1, latencies }]);
  return { p50Ms, p99Ms, commands: settled.length };
}

function rounded(value: number): number {
  return Number(value.toFixed(1));
}
