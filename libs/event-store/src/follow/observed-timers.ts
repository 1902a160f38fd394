import type { Database } from '@patchtrail/postgres';
import { gauges, histogram, inSpan, telemetryIsOn } from '@patchtrail/telemetry';
import { categoryOf } from '../category.js';

const OVERDUE = 'patchtrail.timer.overdue';

const lateness = histogram('patchtrail.timer.lateness', {
  unit: 's',
  description: 'Between when a timer was due and when it was first fired.',
  buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600],
});

type Firing = Readonly<{
  timer: Readonly<{ stream: string; purpose: string; dueAt: string }>;
  tries: number;
  traceparent: string | null;
  now: Date;
}>;

/** A timer as a span that links to the one that scheduled it; its lateness when first tried. */
export function inFiring(
  { timer, tries, traceparent, now }: Firing,
  elapse: () => Promise<void>,
): Promise<void> {
  if (!telemetryIsOn()) return elapse();
  const category = categoryOf(timer.stream);
  const about = {
    'patchtrail.stream.category': category,
    'patchtrail.timer.purpose': timer.purpose,
  };
  const lateMs = Math.max(0, now.getTime() - Date.parse(timer.dueAt));
  if (tries === 0) lateness.record(lateMs / 1_000, about);
  const attributes = {
    ...about,
    'patchtrail.stream.name': timer.stream,
    'patchtrail.timer.lateness_ms': lateMs,
    'patchtrail.timer.tries': tries + 1,
  };
  const links = traceparent === null ? [] : [traceparent];
  const options = { kind: 'internal', parent: null, links, attributes } as const;
  return inSpan(`elapse ${category}`, options, elapse);
}

/** How late the latest timer is that has not fired; until the function is called. */
export function observeOverdue({ db, now }: { db: Database; now: () => Date }): () => void {
  const seen = new Set<string>();
  const options = { unit: 's', description: 'Since the oldest due timer was due; 0 for none.' };
  return gauges({ [OVERDUE]: options }, async () => {
    const overdue = new Map(await overdueIn(db, now()));
    for (const category of overdue.keys()) seen.add(category);
    const told = [...seen].map((category) => ({
      value: overdue.get(category) ?? 0,
      attributes: { 'patchtrail.stream.category': category },
    }));
    return { [OVERDUE]: told };
  });
}

async function overdueIn(db: Database, now: Date): Promise<readonly [string, number][]> {
  const rows = await db.rows<{ category: string; seconds: number }>(
    `SELECT split_part(stream, '-', 1) AS category,
            greatest(0, extract(epoch FROM $1::timestamptz - min(due_at)))::float8 AS seconds
       FROM timers WHERE elapsed_at IS NULL GROUP BY 1`,
    [now],
  );
  return rows.map(({ category, seconds }) => [category, seconds]);
}
