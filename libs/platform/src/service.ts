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
  /** Each under the name by which `stop` would complain of it. */
  run: (tasks: Readonly<Record<string, Readonly<{ done: Promise<void> }>>>) => void;
  /**
   * Aborts the signal and waits until every task has ended.
   * @throws Error naming the tasks that have not ended after 30 s
   */
  stop: () => Promise<void>;
}>;

const STOP_DEADLINE_MS = 30_000;

export function background(stopDeadlineMs = STOP_DEADLINE_MS): Background {
  const controller = new AbortController();
  const running: { name: string; ended: Promise<void> }[] = [];
  const unfinished = new Set<{ name: string }>();
  return {
    signal: controller.signal,
    run: (tasks) => {
      for (const [name, { done }] of Object.entries(tasks)) {
        const task = { name, ended: done.finally(() => unfinished.delete(task)) };
        unfinished.add(task);
        running.push(task);
      }
    },
    stop: async () => {
      controller.abort();
      const all = Promise.all(running.map(({ ended }) => ended));
      await within(stopDeadlineMs, all, () => {
        const names = [...unfinished].map(({ name }) => name).join(', ');
        return `Still running ${String(stopDeadlineMs)} ms after the stop: ${names}.`;
      });
    },
  };
}

async function within(ms: number, work: Promise<unknown>, complaint: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(complaint()));
    }, ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
