import { type FencedLease, type Sql, tryFencedLease } from '@patchtrail/postgres';
import type { Position, StoredEvent } from '../event-store.js';
import { pause } from '../pause.js';
import { holdCheckpoint, moveCheckpoint, openCheckpoint } from './checkpoints.js';
import { follow, type Reader } from './follow.js';
import { inLanes } from './in-lanes.js';
import { inReaction, inReactions, observeReaction } from './observed.js';
import { isParking, type Outcome, outcomeOf, recordFailure, resultOf } from './outcome.js';
import { isStreamParked, park, parkedStreams } from './parked-events.js';
import { createProgress, type Progress, type Projection } from './progress.js';
import type { ReactionOptions } from './reaction-options.js';

const AHEAD_MAX = 50;
const TOGETHER_MAX = 100;
const LEASE_POLL_MS = 1_000;

/**
 * Acts on events in their order, one at a time unless it is told otherwise, in one active instance
 * per name over all processes of a database; the others stand by, not caught up. The checkpoint
 * follows the act, and an instance that was replaced meanwhile can no longer move it. What the domain
 * refuses is recorded in `refused_events`. An event that keeps failing is parked in `parked_events`
 * with its cause, and later ones of its stream behind it; everything else goes on. While the store or
 * the service's database is away nothing is parked.
 */
export function runReaction(options: ReactionOptions): Projection {
  const { name, signal, log } = options;
  const progress = createProgress(options.store);
  const forget = observeReaction(options);
  const run = async () => {
    while (!signal.aborted) {
      const lease = await leaseOf(options, progress);
      if (lease === null) {
        await pause(LEASE_POLL_MS, signal);
        continue;
      }
      log.info({ reader: name }, 'reacting to events');
      const whileHeld = { ...options, signal: AbortSignal.any([signal, lease.lost]) };
      await follow(whileHeld, progress, reactor(whileHeld, progress, lease));
      await lease.release();
    }
    progress.stop();
  };
  return progress.view(run().finally(forget));
}

async function leaseOf(
  { db, name, log }: ReactionOptions,
  progress: Progress,
): Promise<FencedLease | null> {
  try {
    return await tryFencedLease(db.url, `reaction ${name}`);
  } catch (error) {
    log.error({ err: error, reader: name, failures: progress.fail(error) }, 'no lease to react');
    return null;
  }
}

function reactor(options: ReactionOptions, progress: Progress, lease: FencedLease): Reader {
  const actor = createActor(options, progress, lease);
  const { reactTogether, laneOf } = options;
  const batchMax = (reactTogether ?? laneOf) === undefined ? 1 : TOGETHER_MAX;
  let batch: StoredEvent[] = [];

  /** False if it was stopped; what is left of the batch has not been acted on. */
  const settle = async (): Promise<boolean> => {
    const last = batch.at(-1);
    const isOver = () => options.signal.aborted;
    if (last !== undefined && !isOver() && (await areActedOn(options, batch))) {
      await actor.pass(last.position, true, batch.length);
      progress.advance(last.position);
      batch = [];
    }
    const tried = await actor.tryInLanes(batch);
    for (let event = batch[0]; event !== undefined; event = batch[0]) {
      const outcome = tried.get(event);
      if (outcome === undefined && isOver()) return false;
      await (outcome === undefined ? actor.act(event) : actor.note(event, outcome));
      progress.advance(event.position);
      batch.shift();
    }
    return true;
  };
  const gather = async (event: StoredEvent) => {
    const isAlone = actor.mayBeParked(event);
    if (isAlone && !(await settle())) return;
    batch.push(event);
    if (isAlone || batch.length >= batchMax) await settle();
  };

  return {
    resume: () => {
      batch = [];
      return actor.resume();
    },
    take: async (item) => {
      if (item.kind === 'event') {
        progress.receive();
        await gather(item.event);
      } else if (await settle()) {
        await actor.pass(item.position, false);
        progress.advance(item.position);
        progress.catchUp();
      }
    },
    leave: actor.saveActs,
  };
}

/** What has been acted on, up to a position, and what of it is saved. */
type Actor = Readonly<{
  resume: () => Promise<Position | null>;
  /** Until it is acted on, parked or refused. */
  act: (event: StoredEvent) => Promise<void>;
  /** What it came to, where it may be acted on before those in front of it; the rest is left. */
  tryInLanes: (events: readonly StoredEvent[]) => Promise<ReadonlyMap<StoredEvent, Outcome>>;
  note: (event: StoredEvent, outcome: Outcome) => Promise<void>;
  /** So many items up to the position need nothing more. */
  pass: (to: Position, hasActed: boolean, items?: number) => Promise<void>;
  saveActs: () => Promise<void>;
  mayBeParked: (event: StoredEvent) => boolean;
}>;

function createActor(options: ReactionOptions, progress: Progress, lease: FencedLease): Actor {
  const { db, name } = options;
  let checkpoint: Position | null = null;
  let at: Position | null = null;
  let ahead = { items: 0, hasActed: false };
  /** A superset: a replay elsewhere takes streams out without this instance knowing. */
  let maybeParked = new Set<string>();

  /** Moves the checkpoint together with what is recorded, or neither. */
  const save = async (to: Position, record: (tx: Sql) => Promise<boolean>): Promise<boolean> => {
    const isSaved = await db.transaction(async (tx) => {
      await lease.hold(tx);
      await holdCheckpoint(tx, name, checkpoint);
      if (!(await record(tx))) return false;
      await moveCheckpoint(tx, name, to);
      return true;
    });
    if (isSaved) {
      checkpoint = at = to;
      ahead = { items: 0, hasActed: false };
    }
    return isSaved;
  };
  const pass = async (to: Position, hasActed: boolean, items = 1) => {
    at = to;
    ahead = { items: ahead.items + items, hasActed: ahead.hasActed || hasActed };
    const isDue = ahead.items >= AHEAD_MAX || (ahead.hasActed && !hasActed);
    if (isDue) await save(to, nothingToRecord);
  };
  const mayBeParked = ({ stream }: StoredEvent) => maybeParked.has(stream);
  const parkBehind = async (event: StoredEvent): Promise<boolean> => {
    if (!mayBeParked(event)) return false;
    const isParked = await save(event.position, async (tx) => {
      if (!(await isStreamParked(tx, name, event.stream))) return false;
      await park(tx, name, event, null);
      return true;
    });
    if (!isParked) maybeParked.delete(event.stream);
    return isParked;
  };
  const attempt = (event: StoredEvent): Promise<Outcome> =>
    inReaction(name, event, () => outcomeOf(options, progress, event), resultOf);
  const note = async (event: StoredEvent, failure: Outcome) => {
    if (failure === null) return pass(event.position, true);
    if (isParking(failure)) maybeParked.add(event.stream);
    await save(event.position, (tx) => recordFailure(tx, options, event, failure));
  };
  const act = async (event: StoredEvent) => {
    if (!(await parkBehind(event))) await note(event, await attempt(event));
  };
  const tryInLanes = (events: readonly StoredEvent[]) => inLanes(options, events, attempt);
  const resume = async () => {
    await lease.hold(db);
    ahead = { items: 0, hasActed: false };
    maybeParked = await parkedStreams(db, name);
    checkpoint = at = await openCheckpoint(db, name);
    return checkpoint;
  };
  const saveActs = async () => {
    if (at !== null && ahead.hasActed) await save(at, nothingToRecord);
  };
  return { resume, act, tryInLanes, note, pass, saveActs, mayBeParked };
}

/** False if each of them is to be acted on alone. */
async function areActedOn(
  { name, log, reactTogether }: ReactionOptions,
  events: readonly StoredEvent[],
): Promise<boolean> {
  if (reactTogether === undefined || events.length < 2) return false;
  try {
    await inReactions(name, events, reactTogether);
    return true;
  } catch (error) {
    const fields = { err: error, reader: name, events: events.length };
    log.warn(fields, 'reacting to events together failed, now to each of them');
    return false;
  }
}

function nothingToRecord(): Promise<boolean> {
  return Promise.resolve(true);
}
