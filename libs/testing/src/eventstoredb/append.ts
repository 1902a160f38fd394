import type grpc from '@grpc/grpc-js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { Loss } from './faults.js';
import type { Proposed } from './log.js';
import { type Node, refuseAccess } from './node.js';
import {
  expectedOf,
  proposedOf,
  type Refusal,
  refusals,
  sizeOf,
  streamName,
  wireNumber,
} from './wire.js';
import { append, type Expected, type Outcome, remove } from './writes.js';

type Collected = {
  readonly stream: string;
  readonly options: streams.AppendReq.Options;
  readonly expected: Expected;
  readonly events: readonly Proposed[];
};

/**
 * One append per call, what the client uses for appends with credentials of their own. As in
 * https://github.com/EventStore/EventStore/blob/oss-v24.6.0/src/EventStore.Core/Services/Transport/Grpc/Streams.Append.cs
 */
export function appendHandler(
  node: Node,
): grpc.handleClientStreamingCall<streams.AppendReq, streams.AppendResp> {
  return (call, callback) => {
    const fail = (refusal: Refusal): void => {
      call.removeAllListeners('data');
      call.resume();
      callback(refusal);
    };
    const collect = collector(node, call.metadata);
    call.on('error', () => undefined);
    call.on('data', (request: streams.AppendReq) => {
      const refusal = collect.add(request);
      if (refusal !== null) fail(refusal);
    });
    // A call that was cut off ends too, and says only then that it was: it is not carried out.
    call.once('end', () => setImmediate(carryOut));

    function carryOut(): void {
      const { collected } = collect;
      if (collected === null || call.cancelled) return;
      const loss = node.faults.takeLoss();
      if (loss?.committed === false) {
        loseCall(node, loss, callback);
        return;
      }
      node.counts.appends += 1;
      const outcome = append(node.log, collected.stream, collected.expected, collected.events);
      if (loss !== null) loseCall(node, loss, callback);
      else void node.faults.delay().then(() => answer(callback, collected, outcome));
    }
  };
}

function collector(node: Node, metadata: grpc.Metadata) {
  const events: Proposed[] = [];
  let size = 0;
  let collected: Collected | null = null;

  const open = (options: streams.AppendReq.Options): Refusal | null => {
    const stream = streamName(options.getStreamIdentifier());
    const refusal = refuseAccess(node, metadata, 'write', stream);
    if (refusal !== null) return refusal;
    const revision = options.hasRevision() ? options.getRevision() : null;
    const expected = expectedOf(options, revision);
    if (expected === null) return refusals.invalidArgument('No expected revision was given.');
    collected = { stream, options, expected, events };
    return null;
  };
  const take = (message: streams.AppendReq.ProposedMessage | undefined): Refusal | null => {
    const event = message === undefined ? null : proposedOf(message);
    if (event === null) return refusals.missingMetadata();
    size += sizeOf(event);
    if (size > node.maxAppendSizeBytes) return refusals.maxAppendSize(node.maxAppendSizeBytes);
    events.push(event);
    return null;
  };
  return {
    get collected() {
      return collected;
    },
    add: (request: streams.AppendReq): Refusal | null => {
      const options = request.getOptions();
      const refusal = options === undefined ? take(request.getProposedMessage()) : open(options);
      if (refusal !== null) collected = null;
      return refusal;
    },
  };
}

function loseCall(
  node: Node,
  { by }: Loss,
  callback: grpc.sendUnaryData<streams.AppendResp>,
): void {
  switch (by) {
    case 'silence':
      return;
    case 'end':
      callback(refusals.cancelled());
      return;
    case 'drop':
      node.drop();
      return;
    case 'unavailable':
      callback(refusals.unavailable());
      return;
    case 'timeout':
      callback(refusals.timeout('Commit phase timeout.'));
  }
}

function answer(
  callback: grpc.sendUnaryData<streams.AppendResp>,
  { stream, options }: Collected,
  outcome: Outcome,
): void {
  switch (outcome.kind) {
    case 'deleted':
      callback(refusals.streamDeleted(stream));
      return;
    case 'wrong-revision':
      callback(
        null,
        new streams.AppendResp().setWrongExpectedVersion(conflict(options, outcome.current)),
      );
      return;
    case 'done': {
      const success = new streams.AppendResp.Success();
      if (outcome.revision < 0) success.setNoStream(new shared.Empty());
      else success.setCurrentRevision(String(outcome.revision));
      if (outcome.position === undefined) success.setNoPosition(new shared.Empty());
      else success.setPosition(positionOf(outcome.position));
      callback(null, new streams.AppendResp().setSuccess(success));
    }
  }
}

function positionOf(position: number): streams.AppendResp.Position {
  return new streams.AppendResp.Position()
    .setCommitPosition(String(position))
    .setPreparePosition(String(position));
}

function conflict(
  options: streams.AppendReq.Options,
  current: number,
): streams.AppendResp.WrongExpectedVersion {
  const wrong = new streams.AppendResp.WrongExpectedVersion();
  if (options.hasAny()) wrong.setExpectedAny(new shared.Empty());
  else if (options.hasStreamExists()) wrong.setExpectedStreamExists(new shared.Empty());
  else if (options.hasNoStream()) wrong.setExpectedNoStream(new shared.Empty());
  else wrong.setExpectedRevision(options.getRevision());
  return current < 0
    ? wrong.setCurrentNoStream(new shared.Empty())
    : wrong.setCurrentRevision(String(current));
}

/** As in https://github.com/EventStore/EventStore/blob/oss-v24.6.0/src/EventStore.Core/Services/Transport/Grpc/Streams.Delete.cs */
export function deleteHandler(
  node: Node,
): grpc.handleUnaryCall<streams.DeleteReq, streams.DeleteResp> {
  return ({ request, metadata }, callback) => {
    const options = request.getOptions() ?? new streams.DeleteReq.Options();
    const removed = removeStream(node, metadata, options, false);
    if ('code' in removed) {
      callback(removed);
      return;
    }
    const at = new streams.DeleteResp.Position()
      .setCommitPosition(String(removed.position))
      .setPreparePosition(String(removed.position));
    void node.faults.delay().then(() => callback(null, new streams.DeleteResp().setPosition(at)));
  };
}

export function tombstoneHandler(
  node: Node,
): grpc.handleUnaryCall<streams.TombstoneReq, streams.TombstoneResp> {
  return ({ request, metadata }, callback) => {
    const options = request.getOptions() ?? new streams.TombstoneReq.Options();
    const removed = removeStream(node, metadata, options, true);
    if ('code' in removed) {
      callback(removed);
      return;
    }
    const at = new streams.TombstoneResp.Position()
      .setCommitPosition(String(removed.position))
      .setPreparePosition(String(removed.position));
    void node.faults
      .delay()
      .then(() => callback(null, new streams.TombstoneResp().setPosition(at)));
  };
}

function removeStream(
  node: Node,
  metadata: grpc.Metadata,
  options: streams.DeleteReq.Options | streams.TombstoneReq.Options,
  hard: boolean,
): Refusal | { readonly position: number } {
  const stream = streamName(options.getStreamIdentifier());
  const refusal = refuseAccess(node, metadata, 'delete', stream);
  if (refusal !== null) return refusal;
  const revision = options.hasRevision() ? options.getRevision() : null;
  const expected = expectedOf(options, revision);
  if (expected === null) return refusals.invalidArgument('No expected revision was given.');
  const outcome = remove(node.log, stream, expected, hard);
  switch (outcome.kind) {
    case 'deleted':
      return refusals.streamDeleted(stream);
    case 'wrong-revision':
      return refusals.wrongExpectedVersion(stream, expected, outcome.current);
    case 'done':
      return { position: outcome.position ?? wireNumber('0') };
  }
}
