import code from '@eventstore/db-client/generated/code_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import statusPb from '@eventstore/db-client/generated/status_pb.js';
import anyPb from 'google-protobuf/google/protobuf/any_pb.js';
import emptyPb from 'google-protobuf/google/protobuf/empty_pb.js';
import { identifierOf } from './wire.js';
import type { Expected } from './writes.js';

type Serializable = { serializeBinary(): Uint8Array };

/**
 * Why an append of a batch failed: codes and details as in
 * https://github.com/EventStore/EventStore/blob/oss-v24.6.0/src/EventStore.Core/Services/Transport/Grpc/Status.cs
 */
function failure(
  code: ReturnType<statusPb.Status['getCode']>,
  message: string,
  type: string,
  details: Serializable,
): statusPb.Status {
  const any = new anyPb.Any();
  any.pack(details.serializeBinary(), type);
  return new statusPb.Status().setCode(code).setMessage(message).setDetails(any);
}

export function wrongExpectedVersion(expected: Expected, current: number): statusPb.Status {
  const details = new shared.WrongExpectedVersion();
  if (current < 0) details.setCurrentNoStream(new emptyPb.Empty());
  else details.setCurrentStreamRevision(String(current));
  if (expected === 'any') details.setExpectedAny(new emptyPb.Empty());
  else if (expected === 'stream_exists') details.setExpectedStreamExists(new emptyPb.Empty());
  else if (expected === 'no_stream') details.setExpectedNoStream(new emptyPb.Empty());
  else details.setExpectedStreamPosition(String(expected));
  return failure(
    code.Code.ALREADY_EXISTS,
    'WrongExpectedVersion',
    'event_store.client.WrongExpectedVersion',
    details,
  );
}

export function streamDeleted(stream: string): statusPb.Status {
  const details = new shared.StreamDeleted().setStreamIdentifier(identifierOf(stream));
  return failure(code.Code.NOT_FOUND, 'StreamDeleted', 'event_store.client.StreamDeleted', details);
}

export function accessDenied(): statusPb.Status {
  const details = new shared.AccessDenied();
  return failure(
    code.Code.PERMISSION_DENIED,
    'AccessDenied',
    'event_store.client.AccessDenied',
    details,
  );
}

export function timeout(): statusPb.Status {
  return failure(
    code.Code.DEADLINE_EXCEEDED,
    'Timeout',
    'event_store.client.Timeout',
    new shared.Timeout(),
  );
}

export function tooLarge(maxBytes: number): statusPb.Status {
  return failure(
    code.Code.INVALID_ARGUMENT,
    'MaximumAppendSizeExceeded',
    'event_store.client.MaximumAppendSizeExceeded',
    new shared.MaximumAppendSizeExceeded().setMaxappendsize(maxBytes),
  );
}

export function badRequest(message: string): statusPb.Status {
  return failure(
    code.Code.INVALID_ARGUMENT,
    'BadRequest',
    'event_store.client.BadRequest',
    new shared.BadRequest().setMessage(message),
  );
}

/** A server that starts up says so in an answer whose details are empty. */
export function notReady(): statusPb.Status {
  return failure(code.Code.OK, 'Server Is Not Ready', 'google.protobuf.Empty', new emptyPb.Empty());
}
