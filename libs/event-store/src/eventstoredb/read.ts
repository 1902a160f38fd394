import {
  type AllStreamResolvedEvent,
  type ReadPosition,
  type ReadRevision,
  type ResolvedEvent,
  StreamNotFoundError,
  type StreamingRead,
} from '@eventstore/db-client';
import { checkRead, checkReadAll } from '../check-append.js';
import type {
  AllPage,
  Direction,
  ReadAllOptions,
  ReadOptions,
  StoredEvent,
} from '../event-store.js';
import { answerTo, Late, type Server } from './answers.js';
import {
  compareLogPositions,
  type LogPosition,
  logPositionOf,
  positionOf,
} from './log-position.js';
import { ForeignEvent, placeOf, type Recorded, storedEventOf } from './recorded-event.js';

const REVISION_END = 2_147_483_647;
/** The client cannot filter what it reads, so a page of few streams looks at this many records. */
const SCAN_COUNT = 1_000;

/** What stands in the log beyond a place, up to some count. */
export type Stretch = Readonly<{ records: readonly Recorded[]; reachesEnd: boolean }>;

export async function readStream(
  server: Server,
  stream: string,
  options: ReadOptions,
): Promise<readonly StoredEvent[]> {
  const records = await recordsIn(server, stream, checkRead(stream, options));
  return records.map((recorded) => ownEvent(recorded, stream));
}

/** Whatever a stream begins with; `null` where there is none. */
export async function firstIn(server: Server, stream: string): Promise<Recorded | null> {
  const page = { from: 0, direction: 'forwards', maxCount: 1 } as const;
  const [first] = await recordsIn(server, stream, page);
  return first ?? null;
}

/** Whatever a stream ends with; `null` where there is none. */
export async function lastIn(server: Server, stream: string): Promise<Recorded | null> {
  const page = { from: REVISION_END, direction: 'backwards', maxCount: 1 } as const;
  const [last] = await recordsIn(server, stream, page);
  return last ?? null;
}

async function recordsIn(
  server: Server,
  stream: string,
  { from, direction, maxCount }: Required<ReadOptions>,
): Promise<readonly Recorded[]> {
  const fromRevision: ReadRevision = from === REVISION_END ? 'end' : BigInt(from);
  try {
    return await answerTo(server, `read of ${stream}`, (deadlineMs) => {
      const settings = { fromRevision, direction, maxCount, requiresLeader: true };
      return recordsOf(server.client.readStream(stream, settings), deadlineMs);
    });
  } catch (error) {
    if (error instanceof StreamNotFoundError) return [];
    throw error;
  }
}

function ownEvent(recorded: Recorded, stream: string): StoredEvent {
  const event = storedEventOf(recorded, [stream]);
  if (event === null) throw new ForeignEvent(recorded, 'its type is one of the server');
  return event;
}

export async function readAll(server: Server, options: ReadAllOptions): Promise<AllPage> {
  const { from, direction, prefixes, maxCount } = checkReadAll(options);
  const start = from === null ? null : logPositionOf(from);
  const count = prefixes.length === 0 ? maxCount : Math.max(maxCount, SCAN_COUNT);
  const { records, reachesEnd } = await readLog(server, start, direction, count);
  const found = records.flatMap((recorded) => storedEventOf(recorded, prefixes) ?? []);
  const events = found.slice(0, maxCount);
  if (found.length > maxCount) return { events, next: events.at(-1)?.position ?? null };
  const last = records.at(-1);
  const next = reachesEnd || last === undefined ? null : positionOf(placeOf(last));
  return { events, next };
}

/** The newest record, whoever wrote it; `null` where there is none. */
export async function head(server: Server): Promise<LogPosition | null> {
  const { records } = await readLog(server, null, 'backwards', 1);
  const [newest] = records;
  return newest === undefined ? null : placeOf(newest);
}

/** Records of all streams strictly beyond a place; `null` is before the first, or after the last. */
export async function readLog(
  server: Server,
  start: LogPosition | null,
  direction: Direction,
  count: number,
): Promise<Stretch> {
  const fromPosition: ReadPosition = start ?? (direction === 'forwards' ? 'start' : 'end');
  // One more, for forwards the server begins with the record at the place itself.
  const maxCount = start === null ? count : count + 1;
  const read = await answerTo(server, 'read of $all', (deadlineMs) => {
    const settings = { fromPosition, direction, maxCount, requiresLeader: true };
    return recordsOf(server.client.readAll(settings), deadlineMs);
  });
  const sign = direction === 'forwards' ? 1 : -1;
  const records = read
    .filter(
      (recorded) => start === null || sign * compareLogPositions(placeOf(recorded), start) > 0,
    )
    .slice(0, count);
  return { records, reachesEnd: read.length < maxCount };
}

/**
 * Everything that a read gives. The client sets no deadline for a read, so it is called off here;
 * an error that comes when nobody listens any more would end the process, so somebody always does.
 */
async function recordsOf(
  stream: StreamingRead<ResolvedEvent | AllStreamResolvedEvent>,
  deadlineMs: number,
): Promise<readonly Recorded[]> {
  stream.on('error', () => undefined);
  const callOff = () => {
    stream.cancel().catch(() => undefined);
    stream.destroy(new Late(deadlineMs));
  };
  const timer = setTimeout(callOff, deadlineMs);
  try {
    const records: Recorded[] = [];
    for await (const { event } of stream) if (event !== undefined) records.push(event);
    return records;
  } finally {
    clearTimeout(timer);
  }
}
