import type { DynamicModule } from '@nestjs/common';

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
