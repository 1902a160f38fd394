import grpc from '@grpc/grpc-js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { type Proposed, type Recorded, TOMBSTONE } from './log.js';
import type { Expected } from './writes.js';

/** The largest uint64: what the server says for "no position". */
export const NOWHERE = '18446744073709551615';
const LARGEST_INT64 = '9223372036854775807';

export function streamName(identifier: shared.StreamIdentifier | undefined): string {
  return Buffer.from(identifier?.getStreamName_asU8() ?? []).toString('utf8');
}

export function identifierOf(stream: string): shared.StreamIdentifier {
  return new shared.StreamIdentifier().setStreamName(Buffer.from(stream, 'utf8'));
}

export function uuidText(uuid: shared.UUID | undefined): string {
  const structured = uuid?.getStructured();
  if (structured === undefined) return uuid?.getString().toLowerCase() ?? '';
  const hex = [structured.getMostSignificantBits(), structured.getLeastSignificantBits()]
    .map((bits) => BigInt.asUintN(64, BigInt(bits)).toString(16).padStart(16, '0'))
    .join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Revisions and positions above 2^53 are beyond every log here, so precision does not matter. */
export function wireNumber(text: string): number {
  return Number(text);
}

type Message = streams.AppendReq.ProposedMessage | streams.BatchAppendReq.ProposedMessage;

/** Null where the metadata that every event needs is missing. */
export function proposedOf(message: Message): Proposed | null {
  const type = message.getMetadataMap().get('type');
  const contentType = message.getMetadataMap().get('content-type');
  const id = uuidText(message.getId());
  if (type === undefined || type === '' || contentType === undefined || id === '') return null;
  return {
    id,
    type,
    isJson: contentType === 'application/json',
    data: message.getData_asU8(),
    metadata: message.getCustomMetadata_asU8(),
  };
}

/** As SizeOnDisk counts, in bytes: https://github.com/kurrent-io/KurrentDB/blob/v26.1.0/src/KurrentDB.Core/Data/Event.cs */
export function sizeOf({ type, data, metadata }: Proposed): number {
  return data.length + metadata.length + type.length * 2;
}

type ExpectedOptions = {
  hasNoStream(): boolean;
  hasAny(): boolean;
  hasStreamExists(): boolean;
};

/** Null where none of the choices is set. */
export function expectedOf(options: ExpectedOptions, revision: string | null): Expected | null {
  if (options.hasNoStream()) return 'no_stream';
  if (options.hasAny()) return 'any';
  if (options.hasStreamExists()) return 'stream_exists';
  return revision === null ? null : wireNumber(revision);
}

// The server counts time in ticks of 100 ns.
const TICKS_PER_MS = 10_000;

export function eventMessage(event: Recorded): streams.ReadResp {
  const position = String(event.position);
  const recorded = new streams.ReadResp.ReadEvent.RecordedEvent()
    .setId(new shared.UUID().setString(event.id))
    .setStreamIdentifier(identifierOf(event.stream))
    .setStreamRevision(event.revision === TOMBSTONE ? LARGEST_INT64 : String(event.revision))
    .setCommitPosition(position)
    .setPreparePosition(position)
    .setData(event.data)
    .setCustomMetadata(event.metadata);
  recorded
    .getMetadataMap()
    .set('type', event.type)
    .set('created', String(event.createdMs * TICKS_PER_MS))
    .set('content-type', event.isJson ? 'application/json' : 'application/octet-stream');
  return new streams.ReadResp().setEvent(
    new streams.ReadResp.ReadEvent().setEvent(recorded).setCommitPosition(position),
  );
}

export function checkpointMessage(position: string): streams.ReadResp {
  return new streams.ReadResp().setCheckpoint(
    new streams.ReadResp.Checkpoint().setCommitPosition(position).setPreparePosition(position),
  );
}

export function caughtUpMessage(): streams.ReadResp {
  return new streams.ReadResp().setCaughtUp(new streams.ReadResp.CaughtUp());
}

export function fellBehindMessage(): streams.ReadResp {
  return new streams.ReadResp().setFellBehind(new streams.ReadResp.FellBehind());
}

export function confirmationMessage(subscriptionId: string): streams.ReadResp {
  return new streams.ReadResp().setConfirmation(
    new streams.ReadResp.SubscriptionConfirmation().setSubscriptionId(subscriptionId),
  );
}

export function streamNotFoundMessage(stream: string): streams.ReadResp {
  return new streams.ReadResp().setStreamNotFound(
    new streams.ReadResp.StreamNotFound().setStreamIdentifier(identifierOf(stream)),
  );
}

export type Refusal = {
  readonly code: grpc.status;
  readonly details: string;
  readonly metadata: grpc.Metadata;
};

/** A failed call with the trailers that the client turns into an error of its own. */
function refusal(
  code: grpc.status,
  details: string,
  trailers: Readonly<Record<string, string>> = {},
): Refusal {
  const metadata = new grpc.Metadata();
  for (const [key, value] of Object.entries(trailers)) metadata.set(key, value);
  return { code, details, metadata };
}

const { status } = grpc;

/**
 * Texts, codes and trailers as in
 * https://github.com/EventStore/EventStore/blob/oss-v24.6.0/src/EventStore.Core/Services/Transport/Grpc/RpcExceptions.cs
 */
export const refusals = {
  timeout: (why: string) => refusal(status.ABORTED, `Operation timed out: ${why}`),
  notReady: () => refusal(status.UNAVAILABLE, 'Server Is Not Ready'),
  tooBusy: () => refusal(status.UNAVAILABLE, 'Server Is Too Busy'),
  notLeader: (host: string, port: number) =>
    refusal(status.NOT_FOUND, 'Leader info available', {
      exception: 'not-leader',
      'leader-endpoint-host': host,
      'leader-endpoint-port': String(port),
    }),
  accessDenied: () =>
    refusal(status.PERMISSION_DENIED, 'Access Denied', { exception: 'access-denied' }),
  // Wrong credentials end in HTTP 401, which gRPC clients report as this code.
  unauthenticated: () =>
    refusal(status.UNAUTHENTICATED, 'Received HTTP status code 401: Unauthorized'),
  streamDeleted: (stream: string) =>
    refusal(status.FAILED_PRECONDITION, `Event stream '${stream}' is deleted.`, {
      exception: 'stream-deleted',
      'stream-name': stream,
    }),
  wrongExpectedVersion: (stream: string, expected: Expected, actual: number) =>
    refusal(
      status.FAILED_PRECONDITION,
      `Delete failed due to WrongExpectedVersion. Stream: ${stream}, Expected version: ${int64(expected)}, Actual version: ${actual}`,
      {
        exception: 'wrong-expected-version',
        'stream-name': stream,
        'expected-version': int64(expected),
        'actual-version': String(actual),
      },
    ),
  maxAppendSize: (bytes: number) =>
    refusal(status.INVALID_ARGUMENT, `Maximum Append Size of ${bytes} Exceeded.`, {
      exception: 'maximum-append-size-exceeded',
      'maximum-append-size': String(bytes),
    }),
  missingMetadata: () =>
    refusal(
      status.INVALID_ARGUMENT,
      "Required Metadata Property 'type' or 'content-type' is missing",
      {
        exception: 'missing-required-metadata-property',
        'required-metadata-properties': 'type,content-type',
      },
    ),
  invalidArgument: (what: string) => refusal(status.INVALID_ARGUMENT, what),
  unknown: (what: string) => refusal(status.UNKNOWN, what),
  cancelled: () => refusal(status.CANCELLED, 'The server cancelled the call.'),
  unavailable: () => refusal(status.UNAVAILABLE, 'The server is going away.'),
};

function int64(expected: Expected): string {
  const symbols = { any: '-2', no_stream: '-1', stream_exists: '-4' } as const;
  return typeof expected === 'number' ? String(expected) : symbols[expected];
}
