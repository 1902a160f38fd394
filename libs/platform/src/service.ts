import type { DynamicModule } from '@nestjs/common';
import type { VerifyToken } from '@patchtrail/auth';
import type { Bus } from '@patchtrail/messaging';
import type { Database } from '@patchtrail/postgres';
import type { Logger } from './logger.js';

/** What every service is given by its host. */
export type Infra = Readonly<{
  /** Its own database, migrated. */
  db: Database;
  bus: Bus;
  verifyToken: VerifyToken;
  log: Logger;
  now: () => Date;
}>;

export type ReadyCheck = Readonly<{ name: string; ok: boolean; detail?: string }>;

/** Whether a service can do its work now, and what keeps it from it. */
export type ReadyReport = Readonly<{ service: string; ok: boolean; checks: readonly ReadyCheck[] }>;

/** A service as its host runs it. */
export type Service = Readonly<{
  /** Its controllers, for `createHttpApp`. */
  module: DynamicModule;
  /** Starts consumers, relays, projections and timers. */
  start: () => Promise<void>;
  /** Stops them and waits until they have ended. */
  stop: () => Promise<void>;
  ready: () => Promise<ReadyReport>;
}>;

/** Ready when every check is. */
export function readyReport(service: string, checks: readonly ReadyCheck[]): ReadyReport {
  return { service, ok: checks.every(({ ok }) => ok), checks };
}

/** Work of a service that goes on beside its requests, and ends together. */
export type Background = Readonly<{
  signal: AbortSignal;
  run: (...tasks: readonly Readonly<{ done: Promise<void> }>[]) => void;
  /** Aborts the signal and waits until every task has ended. */
  stop: () => Promise<void>;
}>;

export function background(): Background {
  const controller = new AbortController();
  const running: Promise<void>[] = [];
  return {
    signal: controller.signal,
    run: (...tasks) => {
      running.push(...tasks.map(({ done }) => done));
    },
    stop: async () => {
      controller.abort();
      await Promise.all(running);
    },
  };
}
