import type { Message } from '@patchtrail/event-sourcing';

/** Somebody has to come back at `dueAt`; the fact that the table of timers is built from. */
export type TimerScheduled = Message<
  'TimerScheduled',
  { timerId: string; dueAt: string; purpose: string; generation: number }
>;

export function timerAt(dueAt: string, purpose: string, of: string): TimerScheduled {
  const data = { timerId: `${purpose}:${of}`, dueAt, purpose, generation: 1 };
  return { type: 'TimerScheduled', data };
}

/** RFC 3339 in UTC, `ms` milliseconds later. */
export function instantAfter(at: string, ms: number): string {
  return new Date(Date.parse(at) + ms).toISOString();
}
