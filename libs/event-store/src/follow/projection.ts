import type { Database, Sql } from '@patchtrail/postgres';
import type { Position, StoredEvent, SubscriptionItem } from '../event-store.js';
import { CheckpointMoved, lockCheckpoint, moveCheckpoint, openCheckpoint } from './checkpoints.js';
import { follow, type Followed } from './follow.js';
import { inBatch, observeLag } from './observed.js';
import { createProgress, type Projection } from './progress.js';
import type { ProjectedTable } from './projected-table.js';

const BATCH_SIZE_MAX = 200;
/** Foreign events move the checkpoint too, but not worth a write each. */
const UNSAVED_MAX = 100;

/** Rows that are a function of the events and of nothing else, so that they can be built again. */
export type ProjectionDefinition = Pick<Followed, 'name' | 'prefixes'> &
  Readonly<{
    /** Every table that `apply` writes, and no other: a rebuild replaces them. */
    tables: readonly ProjectedTable[];
    /**
     * Writes through `tx` only: its rows and the checkpoint become visible together. It names its
     * tables without a schema, reads no other ones, and knows neither clock nor chance.
     */
    apply: (tx: Sql, event: StoredEvent) => Promise<void>;
  }>;

export type ProjectionOptions = Followed &
  Pick<ProjectionDefinition, 'apply'> &
  Readonly<{ db: Database }>;

/**
 * Keeps rows that are a function of the events, each applied exactly once: a batch and its
 * checkpoint are one transaction. Any number of processes may run a projection of one name on one
 * database: each reads every event, and whichever comes first applies it, so that all of them know
 * how far the rows are and none is missed. An event that cannot be applied halts the projection,
 * visibly, for it may not be left out; it is tried again with a bounded backoff.
 */
export function runProjection(options: ProjectionOptions): Projection {
  const { store, db, name, apply } = options;
  const progress = createProgress(store);
  let checkpoint: Position | null = null;
  let batch: StoredEvent[] = [];
  let unsaved = 0;

  const isBehind = (from: Position | null, position: Position) =>
    from === null || store.comparePositions(from, position) < 0;

  const save = async (to: Position) => {
    const known = checkpoint;
    const applying = async (tx: Sql) => {
      const actual = await lockCheckpoint(tx, name);
      if (known !== null && isBehind(actual, known)) {
        throw new CheckpointMoved(name, known, actual);
      }
      const events = batch.filter(({ position }) => isBehind(actual, position));
      await applyAll(apply, tx, events);
      if (actual !== null && !isBehind(actual, to)) return actual;
      await moveCheckpoint(tx, name, to);
      return to;
    };
    checkpoint = await inBatch(name, batch, () => db.transaction(applying));
    batch = [];
    unsaved = 0;
    progress.advance(checkpoint);
  };

  const resume = async () => {
    batch = [];
    unsaved = 0;
    checkpoint = await openCheckpoint(db, name);
    return checkpoint;
  };

  const take = async (item: SubscriptionItem) => {
    if (item.kind === 'event') {
      // Otherwise another process has applied it already.
      if (!isBehind(checkpoint, item.event.position)) return;
      progress.receive();
      batch.push(item.event);
      if (batch.length === BATCH_SIZE_MAX) await save(item.event.position);
      return;
    }
    unsaved += 1;
    if (batch.length > 0 || unsaved === UNSAVED_MAX) await save(item.position);
    else if (isBehind(checkpoint, item.position)) progress.advance(item.position);
    progress.catchUp();
  };

  const forget = observeLag(options);
  const done = follow(options, progress, { resume, take, leave: () => Promise.resolve() }).finally(
    () => {
      forget();
      progress.stop();
    },
  );
  return progress.view(done);
}

/** In their order; an event that cannot be applied is named by the error. */
export async function applyAll(
  apply: ProjectionDefinition['apply'],
  tx: Sql,
  events: readonly StoredEvent[],
): Promise<void> {
  for (const event of events) {
    try {
      await apply(tx, event);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const { type, stream, revision } = event;
      throw new Error(`${type} at ${stream}@${revision} cannot be applied: ${reason}`, { cause });
    }
  }
}
