import type { Pool } from 'pg';
import { checkAppend } from '../check-append.js';
import {
  type AppendResult,
  type ExpectedRevision,
  type NewEvent,
  WrongExpectedRevision,
} from '../event-store.js';
import { groupSize } from '../observed-append.js';
import { positionFrom } from '../position.js';
import { int4Array, jsonArray, textArray, uuidArray } from './binary-array.js';
import { isConnectionLost, isLockTimeout, isPassing, refusalOf } from './connections.js';
import { EventStoreBusy } from './event-store-busy.js';
import { merged, type Merged, type Outcome } from './merged.js';

/** Of one append: what it asks for, and its events as they are stored. */
export type Append = Readonly<{
  stream: string;
  expected: ExpectedRevision;
  /** -1 where there must be no stream. */
  expectedNumber: number;
  events: readonly NewEvent[];
  datas: readonly string[];
  metadatas: readonly string[];
  bytes: number;
}>;

export type Appends = Merged<Append, AppendResult>;

/** `revisions` and `positions` are null where every append was stored, right after `base`. */
type Answer = {
  base: string;
  revisions: number[] | null;
  positions: (string | null)[] | null;
};

const LANES = 2;
const BATCH_MAX = { count: 1_000, bytes: 4_194_304 };
const QUEUE_MAX = { count: 20_000, bytes: 67_108_864 };
const WAIT_MS_MAX = 10_000;

const APPEND = {
  name: 'append',
  text: `SELECT base, revisions, positions
    FROM event_store.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
};

const APPEND_ONE = {
  name: 'append one',
  text: 'SELECT event_store.append_one($1, $2, $3, $4, $5, $6) AS position',
};

/** Group commit: concurrent appends share a transaction, and each has its own outcome. */
export function mergedAppends(pool: Pool): Appends {
  return merged({
    batchMax: BATCH_MAX,
    queueMax: QUEUE_MAX,
    amountOf: ({ events, bytes }: Append) => ({ count: events.length, bytes }),
    lanes: LANES,
    waitMsMax: WAIT_MS_MAX,
    run: (appends) => {
      groupSize.record(appends.length);
      return store(pool, appends);
    },
  });
}

export const APPEND_LANES = LANES;

/** @throws InvalidEvent, AppendTooLarge */
export function appendOf(
  stream: string,
  expected: ExpectedRevision,
  given: readonly NewEvent[],
): Append {
  const events = checkAppend(stream, expected, given);
  const datas = events.map(({ data }) => JSON.stringify(data));
  const metadatas = events.map(({ metadata }) => JSON.stringify(metadata));
  const bytes = [...datas, ...metadatas].reduce((sum, text) => sum + text.length, 0);
  const expectedNumber = expected === 'no-stream' ? -1 : expected;
  return { stream, expected, expectedNumber, events, datas, metadatas, bytes };
}

/**
 * One transaction for all of them. Where its connection was lost it is made once more, for what was
 * stored is only found again; where the server refuses what is in it, each append is tried once by
 * itself, so that it fails alone.
 */
async function store(
  pool: Pool,
  appends: readonly Append[],
): Promise<readonly Outcome<AppendResult>[]> {
  try {
    return await storeTogether(pool, appends).catch((error: unknown) => {
      if (isConnectionLost(error)) return storeTogether(pool, appends);
      throw error;
    });
  } catch (error) {
    if (isLockTimeout(error)) throw new EventStoreBusy('locked', { cause: error });
    if (isPassing(error) || appends.length === 1) throw refusalOf(error);
  }
  const outcomes: Outcome<AppendResult>[] = [];
  for (const append of appends) {
    outcomes.push(
      await storeTogether(pool, [append]).then(
        ([outcome]) => outcome ?? { ok: false, error: new Error('An append had no outcome.') },
        (error: unknown) => ({ ok: false, error: refusalOf(error) }),
      ),
    );
  }
  return outcomes;
}

async function storeTogether(
  pool: Pool,
  appends: readonly Append[],
): Promise<readonly Outcome<AppendResult>[]> {
  const alone = await storeAlone(pool, appends);
  if (alone !== null) return [alone];
  const { rows } = await pool.query<Answer>({ ...APPEND, values: parametersOf(appends) });
  const [answer] = rows;
  if (answer === undefined) throw new Error('event_store.append returned no row.');
  return outcomesOf(appends, answer);
}

/** `null` where there is more than one event to store, or where that did not go smoothly. */
async function storeAlone(
  pool: Pool,
  [append, ...others]: readonly Append[],
): Promise<Outcome<AppendResult> | null> {
  if (append === undefined || others.length > 0) return null;
  const { stream, expectedNumber, events, datas, metadatas } = append;
  const [event, ...more] = events;
  if (event === undefined || more.length > 0) return null;
  const { rows } = await pool.query<{ position: string | null }>({
    ...APPEND_ONE,
    values: [stream, expectedNumber, event.id, event.type, datas[0], metadatas[0]],
  });
  const position = rows[0]?.position ?? null;
  return position === null ? null : outcomeOf(append, expectedNumber + 1, position);
}

function parametersOf(appends: readonly Append[]): (Buffer | null)[] {
  const firsts = firstsOf(appends);
  return [
    textArray(appends.map(({ stream }) => stream)),
    int4Array(appends.map(({ expectedNumber }) => expectedNumber)),
    int4Array(appends.map((append) => revisionAt(append, append.events.length - 1))),
    firsts === null ? null : int4Array(firsts),
    int4Array(appends.flatMap(({ events }, index) => events.map(() => index + 1))),
    textArray(appends.flatMap(({ stream, events }) => events.map(() => stream))),
    int4Array(appends.flatMap((append) => append.events.map((_, n) => revisionAt(append, n)))),
    uuidArray(appends.flatMap(({ events }) => events.map(({ id }) => id))),
    textArray(appends.flatMap(({ events }) => events.map(({ type }) => type))),
    jsonArray(appends.flatMap(({ datas }) => datas)),
    jsonArray(appends.flatMap(({ metadatas }) => metadatas)),
  ];
}

/** Of the n-th event. No stream gets as far as to need more than 32 bits. */
function revisionAt({ expectedNumber }: Append, n: number): number {
  return (expectedNumber + 1 + n) | 0;
}

/** For each append the first one to its stream, counted from 1; null where all streams differ. */
function firstsOf(appends: readonly Append[]): readonly number[] | null {
  const firsts = new Map<string, number>();
  const found = appends.map(({ stream }, index) => {
    const first = firsts.get(stream) ?? index + 1;
    firsts.set(stream, first);
    return first;
  });
  return firsts.size === appends.length ? null : found;
}

function outcomesOf(
  appends: readonly Append[],
  { base, revisions, positions }: Answer,
): readonly Outcome<AppendResult>[] {
  if (revisions !== null) {
    return appends.map((append, n) =>
      outcomeOf(append, revisions[n] ?? -1, positions?.[n] ?? null),
    );
  }
  let last = BigInt(base);
  return appends.map((append) => {
    last += BigInt(append.events.length);
    const revision = append.expectedNumber + append.events.length;
    return { ok: true, result: { revision, position: positionFrom(last) } };
  });
}

function outcomeOf(
  { stream, expected }: Append,
  revision: number,
  position: string | null,
): Outcome<AppendResult> {
  if (position !== null) {
    return { ok: true, result: { revision, position: positionFrom(BigInt(position)) } };
  }
  const actual = revision === -1 ? 'no-stream' : revision;
  return { ok: false, error: new WrongExpectedRevision(stream, expected, actual) };
}
