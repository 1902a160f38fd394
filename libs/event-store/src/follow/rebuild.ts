import { type Database, type Sql, SqlError, tryLease } from '@patchtrail/postgres';
import type { EventStore, Position, StoredEvent } from '../event-store.js';
import { TruncatedStream } from '../fold-stream.js';
import { backoffMs, pause } from '../pause.js';
import { bindStore } from './bind-store.js';
import { holdCheckpoint, lockCheckpoint, moveCheckpoint, openCheckpoint } from './checkpoints.js';
import { applyAll, type ProjectionDefinition } from './projection.js';
import {
  analyzeCopies,
  compareTables,
  createCopies,
  dropCopies,
  giveRights,
  lockTables,
  type RebuiltTable,
  replaceTables,
  type Schemas,
  takeOverKept,
  useCopies,
} from './rebuild-tables.js';

const BATCH_SIZE = 500;
const SWAP_TRIES_MAX_DEFAULT = 60;
const SWAP_BACKOFF = { firstMs: 50, maxMs: 2_000 };
/**
 * Below the second after which the server looks for deadlocks: of two that wait for each other it
 * is the rebuild that gives way, never a request or the running projection.
 */
const SWAP_LOCK_TIMEOUT_MS = 400;
const SWAP_STATEMENT_TIMEOUT_MS = 60_000;
const LOCK_NOT_AVAILABLE = '55P03';
const DEADLOCK = '40P01';

export type RebuildOptions = Readonly<{
  store: EventStore;
  /** As a role that may create a schema in its database. */
  db: Database;
  projection: ProjectionDefinition;
  signal: AbortSignal;
  /** How often it tries to get hold of tables in use: 60 times by default, about a minute. */
  swapTriesMax?: number;
  /** After each batch. */
  onProgress?: (progress: RebuildProgress) => void;
}>;

export type RebuildProgress = Readonly<{
  /** Applied so far. */
  events: number;
  /** Everything up to here is applied; `null` at the start. */
  position: Position | null;
}>;

export type Rebuilt = RebuildProgress & Readonly<{ tables: readonly RebuiltTable[] }>;

export class RebuildUnderWay extends Error {
  constructor(readonly projection: string) {
    super(`${projection} is being rebuilt already. Wait for the end of that.`);
    this.name = 'RebuildUnderWay';
  }
}

/** The tables stayed in use for longer than a rebuild may wait; they are untouched. */
export class SwapRefused extends Error {
  constructor(projection: string, tries: number, cause: unknown) {
    super(
      `${projection} could not be swapped in ${tries} tries: its tables or its checkpoint ` +
        'are always in use. Nothing has changed; try again, or stop what uses them.',
      { cause },
    );
    this.name = 'SwapRefused';
  }
}

type Build = RebuildOptions & {
  schemas: Schemas;
  at: Position | null;
  events: number;
  /** The revision that each stream goes on with. */
  next: Map<string, number>;
};
type Batch = Readonly<{ events: readonly StoredEvent[]; to: Position | null; isLast: boolean }>;

/**
 * Builds the rows of a projection anew from all of its events, beside the rows in use, and puts
 * them in their place at the position that the running projection has just then. It may run and
 * append goes on; who reads sees either the old rows or the new ones. Nothing changes unless it
 * resolves.
 * @throws RebuildUnderWay, SwapRefused, TruncatedStream; ForeignEventStore for another store than
 * the one that the rows were made from; Error naming the event that cannot be applied
 */
export async function rebuildProjection(options: RebuildOptions): Promise<Rebuilt> {
  const { db, store, projection } = options;
  const lease = await tryLease(db.url, `rebuild ${projection.name}`);
  if (lease === null) throw new RebuildUnderWay(projection.name);
  const signal = AbortSignal.any([options.signal, lease.lost]);
  const schemas = await schemasOf(db, projection.name).catch(async (error: unknown) => {
    await lease.release();
    throw error;
  });
  try {
    await bindStore(db, store);
    return await built({ ...options, signal, schemas, at: null, events: 0, next: new Map() });
  } catch (error) {
    // The next rebuild does this too where it cannot be done now.
    if (!lease.lost.aborted) await dropCopies(db, schemas).catch(() => undefined);
    throw error;
  } finally {
    await lease.release();
  }
}

async function schemasOf(db: Database, name: string): Promise<Schemas> {
  const [row] = await db.rows<{ live: string | null }>('SELECT current_schema() AS live');
  if (row?.live == null) throw new Error('The search path of the database names no schema.');
  return { live: row.live, copy: `rebuild_${name.replaceAll(/[^a-z0-9]+/g, '_')}` };
}

async function built(build: Build): Promise<Rebuilt> {
  const { db, projection, schemas, signal, swapTriesMax = SWAP_TRIES_MAX_DEFAULT } = build;
  await db.transaction(async (tx) => {
    await createCopies(tx, schemas, projection.tables);
    await openCheckpoint(tx, projection.name);
  });
  for (let attempt = 1; ; attempt += 1) {
    await approach(build);
    await analyzeCopies(db, schemas, projection.tables);
    try {
      const rebuilt = await swap(build);
      if (rebuilt !== null) return rebuilt;
    } catch (error) {
      if (!isInUse(error)) throw error;
      if (attempt >= swapTriesMax) throw new SwapRefused(projection.name, attempt, error);
    }
    await pause(backoffMs(SWAP_BACKOFF, attempt), signal);
  }
}

/** Applies batches until one more would reach the running projection. */
async function approach(build: Build): Promise<void> {
  const { db, projection } = build;
  for (;;) {
    build.signal.throwIfAborted();
    const batch = await batchUpTo(build, await openCheckpoint(db, projection.name));
    if (batch.isLast) return;
    await db.transaction(async (tx) => {
      // What a crash loses here is built again anyway.
      await tx.run('SET LOCAL synchronous_commit = off');
      await applyToCopies(tx, build, batch);
    });
    moveOn(build, batch);
  }
}

/** The next events of the build, and none behind the position. */
async function batchUpTo({ store, projection, at }: Build, upTo: Position | null): Promise<Batch> {
  if (upTo === null) return { events: [], to: null, isLast: true };
  const { prefixes } = projection;
  const page = await store.readAll({ from: at, prefixes, maxCount: BATCH_SIZE });
  const isWithin = (position: Position) => store.comparePositions(position, upTo) <= 0;
  const events = page.events.filter(({ position }) => isWithin(position));
  const { next } = page;
  if (next === null || events.length < page.events.length || !isWithin(next)) {
    return { events, to: upTo, isLast: true };
  }
  return { events, to: next, isLast: next === upTo };
}

async function applyToCopies(tx: Sql, build: Build, { events, to }: Batch): Promise<void> {
  const { projection, schemas, at, next } = build;
  checkComplete(events, next);
  await useCopies(tx, schemas);
  await holdCheckpoint(tx, projection.name, at);
  await applyAll(projection.apply, tx, events);
  if (to !== null) await moveCheckpoint(tx, projection.name, to);
}

function checkComplete(events: readonly StoredEvent[], known: ReadonlyMap<string, number>): void {
  const next = new Map<string, number>();
  for (const event of events) {
    const expected = next.get(event.stream) ?? known.get(event.stream) ?? 0;
    if (event.revision !== expected)
      throw new TruncatedStream(event.stream, expected, event.revision);
    next.set(event.stream, expected + 1);
  }
}

/** Only once the transaction of the batch has been committed. */
function moveOn(build: Build, { events, to }: Batch): void {
  for (const { stream, revision } of events) build.next.set(stream, revision + 1);
  build.at = to;
  build.events += events.length;
  build.onProgress?.({ events: build.events, position: to });
}

/** `null` where the running projection has meanwhile gone too far ahead for one short transaction. */
async function swap(build: Build): Promise<Rebuilt | null> {
  const { db, projection, schemas, signal } = build;
  const { name, tables } = projection;
  return db.transaction(async (tx) => {
    await tx.run(`SET LOCAL lock_timeout = ${SWAP_LOCK_TIMEOUT_MS}`);
    await tx.run(`SET LOCAL statement_timeout = ${SWAP_STATEMENT_TIMEOUT_MS}`);
    // The running projection waits from here on, and those who read do not yet.
    const position = await lockCheckpoint(tx, name);
    const batch = await batchUpTo(build, position);
    if (!batch.isLast) return null;
    await applyToCopies(tx, build, batch);
    const compared = await compareTables(tx, schemas, tables);
    await giveRights(tx, schemas, tables);
    await takeOverKept(tx, schemas, tables);
    await lockTables(tx, schemas, tables);
    // Once more, for what changed until nobody else could change it.
    await takeOverKept(tx, schemas, tables);
    signal.throwIfAborted();
    await replaceTables(tx, schemas, tables);
    return { position, events: build.events + batch.events.length, tables: compared };
  });
}

function isInUse(error: unknown): boolean {
  return (
    error instanceof SqlError && (error.code === LOCK_NOT_AVAILABLE || error.code === DEADLOCK)
  );
}
