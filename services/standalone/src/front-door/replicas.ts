import { setTimeout as pause } from 'node:timers/promises';
import type { Logger, ReadyReport } from '@patchtrail/platform';
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { SERVICE_NAMES, type ServiceName } from '../services.js';

/** Base URLs of the replicas of each service as they are now. */
export type FindReplicas = () => Promise<ReadonlyMap<ServiceName, readonly string[]>>;

export type Health = Readonly<{ ok: boolean; services: readonly ReadyReport[] }>;

export type Replicas = Readonly<{
  /**
   * Where a request may go, the best first: in turns over those that are ready, then the others,
   * for one that is not ready still knows best what to answer.
   */
  candidates: (service: ServiceName) => readonly string[];
  /** Nobody answers there; another look may find otherwise. */
  markDown: (url: string) => void;
  /** What all replicas say of themselves: ok where every service has one that is ready. */
  health: () => Health;
  /** Looks until every service has a replica that is ready, or for so many milliseconds. */
  settle: (deadlineMs: number) => Promise<void>;
  stop: () => Promise<void>;
}>;

const LOOK_MS = 1_000;
const SETTLE_MS = 100;
const ANSWER_MS_MAX = 6_000;

const Ready = Type.Object({
  services: Type.Array(
    Type.Object({
      service: Type.String(),
      ok: Type.Boolean(),
      checks: Type.Array(
        Type.Object({
          name: Type.String(),
          ok: Type.Boolean(),
          detail: Type.Optional(Type.String()),
        }),
      ),
    }),
  ),
});

type Seen = Readonly<{
  service: ServiceName;
  url: string;
  isReady: boolean;
  reports: readonly ReadyReport[];
}>;

/** Looks at every replica about once a second. */
export function watchReplicas(find: FindReplicas, log: Logger): Replicas {
  const stopping = new AbortController();
  let seen: readonly Seen[] = [];
  let turn = 0;
  const look = async () => {
    const found = [...(await find())].flatMap(([service, urls]) =>
      urls.map((url) => ({ service, url })),
    );
    const looks = found.map(async ({ service, url }) => {
      const now = await askReady(service, url, stopping.signal);
      const before = seen.find((one) => one.service === service && one.url === url);
      if (before?.isReady !== now.isReady) {
        log.info({ service, url, isReady: now.isReady }, 'A replica was looked at.');
      }
      return now;
    });
    seen = await Promise.all(looks);
  };
  const keepLooking = async () => {
    while (!stopping.signal.aborted) {
      await look().catch((error: unknown) => log.warn({ err: error }, 'Replicas were not found.'));
      await pause(LOOK_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const looking = keepLooking();
  return {
    candidates: (service) => {
      const own = seen.filter((replica) => replica.service === service);
      turn += 1;
      const inTurn = [...own.slice(turn % own.length), ...own.slice(0, turn % own.length)];
      const [up, down] = [true, false].map((is) => inTurn.filter(({ isReady }) => isReady === is));
      return [...(up ?? []), ...(down ?? [])].map(({ url }) => url);
    },
    markDown: (url) => {
      // A process may host several services.
      seen = seen.map((replica) =>
        replica.url === url ? { ...replica, isReady: false } : replica,
      );
    },
    health: () => healthOf(seen),
    settle: async (deadlineMs) => {
      const deadline = performance.now() + deadlineMs;
      while (!healthOf(seen).ok && performance.now() < deadline) {
        await look().catch(() => undefined);
        await pause(SETTLE_MS);
      }
    },
    stop: async () => {
      stopping.abort();
      await looking;
    },
  };
}

function healthOf(seen: readonly Seen[]): Health {
  const missing = SERVICE_NAMES.filter((name) => !seen.some(({ service }) => service === name));
  const services = [
    ...seen.flatMap(({ reports }) => reports),
    ...missing.map((service) => unanswered(service, 'no replica is running')),
  ];
  const ok = SERVICE_NAMES.every((name) =>
    seen.some(({ service, isReady }) => service === name && isReady),
  );
  return { ok, services };
}

async function askReady(service: ServiceName, url: string, stop: AbortSignal): Promise<Seen> {
  try {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(ANSWER_MS_MAX)]);
    const response = await fetch(new URL('/health/ready', url), { signal });
    const { services } = Value.Decode(Ready, await response.json());
    return { service, url, isReady: response.ok, reports: services };
  } catch {
    const reports = [unanswered(service, `${url} does not answer`)];
    return { service, url, isReady: false, reports };
  }
}

function unanswered(service: string, detail: string): ReadyReport {
  return { service, ok: false, checks: [{ name: 'answers', ok: false, detail }] };
}
