import {
  type AppendResult as Answer,
  jsonEvent,
  type JSONEventData,
  MaxAppendSizeExceededError,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import { appendBytes, checkAppend } from '../check-append.js';
import {
  AppendTooLarge,
  type AppendResult,
  type ExpectedRevision,
  type NewEvent,
  WrongExpectedRevision,
} from '../event-store.js';
import { answerTo, type Server } from './answers.js';
import { positionOf } from './log-position.js';
import { readStream } from './read.js';

/**
 * Appends at an explicit revision only: for the server, the same ids at the same revision again are
 * a success without effect, so an append whose outcome is unknown is simply sent once more.
 */
export async function append(
  server: Server,
  stream: string,
  expected: ExpectedRevision,
  events: readonly NewEvent[],
): Promise<AppendResult> {
  const copies = checkAppend(stream, expected, events);
  const proposed = copies.map(proposedEvent);
  const expectedRevision = expected === 'no-stream' ? 'no_stream' : BigInt(expected);
  try {
    const answer = await answerTo(server, `append to ${stream}`, (deadline) =>
      server.client.appendToStream(stream, proposed, {
        expectedRevision,
        requiresLeader: true,
        deadline,
      }),
    );
    return await resultOf(server, stream, answer);
  } catch (error) {
    if (error instanceof WrongExpectedVersionError) {
      throw new WrongExpectedRevision(stream, expected, revisionOf(error.actualVersion));
    }
    if (error instanceof MaxAppendSizeExceededError) {
      throw new AppendTooLarge(stream, appendBytes(copies));
    }
    throw error;
  }
}

/** To the client's types, JSON is an object, a list or text; what it sends is what this becomes. */
function proposedEvent({ id, type, data, metadata }: NewEvent): JSONEventData {
  return jsonEvent({ id, type, data: { toJSON: () => data }, metadata });
}

function revisionOf(version: WrongExpectedVersionError['actualVersion']): ExpectedRevision {
  return typeof version === 'bigint' ? Number(version) : 'no-stream';
}

/** The server leaves the position out where it no longer has the event of an earlier append. */
async function resultOf(
  server: Server,
  stream: string,
  { nextExpectedRevision, position }: Answer,
): Promise<AppendResult> {
  const revision = Number(nextExpectedRevision);
  if (position !== undefined) return { revision, position: positionOf(position) };
  const [event] = await readStream(server, stream, { from: revision, maxCount: 1 });
  if (event?.revision !== revision) throw new Error(`${stream}@${revision} cannot be read back.`);
  return { revision, position: event.position };
}
