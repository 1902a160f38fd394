import type grpc from '@grpc/grpc-js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import statusPb from '@eventstore/db-client/generated/status_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import emptyPb from 'google-protobuf/google/protobuf/empty_pb.js';
import type { Identity } from './access.js';
import {
  accessDenied,
  badRequest,
  notReady,
  streamDeleted,
  timeout,
  tooLarge,
  wrongExpectedVersion,
} from './batch-status.js';
import type { Loss } from './faults.js';
import type { Proposed } from './log.js';
import { admit, type Node, type OpenCall } from './node.js';
import {
  expectedOf,
  identifierOf,
  proposedOf,
  type Refusal,
  refusals,
  sizeOf,
  streamName,
  uuidText,
} from './wire.js';
import { append, type Expected, type Outcome } from './writes.js';

type Call = grpc.ServerDuplexStream<streams.BatchAppendReq, streams.BatchAppendResp>;

/** An append whose last part has not come yet. */
type Pending = {
  readonly stream: string;
  readonly expected: Expected;
  readonly events: Proposed[];
  readonly timer: NodeJS.Timeout;
  size: number;
};

// However late the deadline of the request is (WriteTimeoutMs in
// https://github.com/EventStore/EventStore/blob/oss-v24.6.0/src/EventStore.Core/Configuration/ClusterVNodeOptions.cs).
const WRITE_TIMEOUT_MS = 2_000;

/**
 * All appends of a client share one such call; each is answered by its correlation id. As in
 * https://github.com/EventStore/EventStore/blob/oss-v24.6.0/src/EventStore.Core/Services/Transport/Grpc/Streams.BatchAppend.cs
 */
export function batchAppendHandler(
  node: Node,
): grpc.handleBidiStreamingCall<streams.BatchAppendReq, streams.BatchAppendResp> {
  return (call) => {
    call.on('error', () => undefined);
    const { refusal, identity } = admit(node, call.metadata);
    if (refusal !== undefined) {
      call.resume();
      call.emit('error', refusal);
      return;
    }
    serveBatch(node, call, identity);
  };
}

/** One client's shared call. */
type Batch = {
  readonly node: Node;
  readonly identity: Identity;
  readonly pending: Map<string, Pending>;
  reply(request: streams.BatchAppendReq, stream: string, result: Result): void;
  /** Ends the call cleanly, or with an error; what is unanswered stays so. */
  end(refusal?: Refusal): void;
};

function serveBatch(node: Node, call: Call, identity: Identity): void {
  const pending = new Map<string, Pending>();
  let replies = Promise.resolve();
  const forget = (): boolean => {
    for (const { timer } of pending.values()) clearTimeout(timer);
    pending.clear();
    return node.open.delete(entry);
  };
  const end = (refusal?: Refusal): void => {
    if (!forget()) return;
    if (refusal === undefined) call.end();
    else call.emit('error', refusal);
  };
  const entry: OpenCall = { kind: 'batch', end: () => end() };
  node.open.add(entry);
  const send = (response: streams.BatchAppendResp): void => {
    if (!node.open.has(entry) || call.write(response)) return;
    call.pause();
    call.once('drain', () => call.resume());
  };
  const batch: Batch = {
    node,
    identity,
    pending,
    end,
    reply: (request, stream, result) => {
      const response = responseTo(request, stream, result);
      replies = replies.then(() => node.faults.delay()).then(() => send(response));
    },
  };
  call.on('data', (request: streams.BatchAppendReq) => take(batch, request));
  call.on('cancelled', forget);
  // The client has closed its side: what it sent before is still answered.
  call.on('end', () => {
    replies = replies.then(() => end());
  });
}

function take(batch: Batch, request: streams.BatchAppendReq): void {
  const id = uuidText(request.getCorrelationId());
  const write = open(batch, request, id);
  if (write === null) return;
  const problem = addTo(batch.node, write, request);
  if (problem === null && !request.getIsFinal()) return;
  clearTimeout(write.timer);
  batch.pending.delete(id);
  if (problem === null) commit(batch, request, write);
  else batch.reply(request, write.stream, problem);
}

/** The append that the request starts or goes on with; null where there is none. */
function open(batch: Batch, request: streams.BatchAppendReq, id: string): Pending | null {
  const options = request.getOptions();
  if (options === undefined) return batch.pending.get(id) ?? null;
  const stream = streamName(options.getStreamIdentifier());
  const refuse = (result: Result): null => {
    batch.reply(request, stream, result);
    return null;
  };
  if (!batch.node.access.may(batch.identity, 'write', stream)) return refuse(accessDenied());
  const revision = options.hasStreamPosition() ? options.getStreamPosition() : null;
  const expected = expectedOf(options, revision);
  if (stream === '' || expected === null) return refuse(badRequest('A required field is not set.'));
  const timeoutMs = Math.min(timeoutOf(options), WRITE_TIMEOUT_MS);
  if (timeoutMs <= 0) return refuse(timeout());
  const timer = setTimeout(() => {
    if (batch.pending.delete(id)) batch.reply(request, stream, timeout());
  }, timeoutMs).unref();
  const write: Pending = { stream, expected, events: [], timer, size: 0 };
  batch.pending.set(id, write);
  return write;
}

function commit(batch: Batch, request: streams.BatchAppendReq, write: Pending): void {
  const { faults, log, counts } = batch.node;
  const refused = faults.takeRefusal();
  if (refused !== null) {
    // Not the leader: the server throws, which ends the whole call.
    if (refused.as === 'not-leader' || refused.as === 'unavailable') batch.end(refused.refusal);
    else batch.reply(request, write.stream, refused.as === 'timeout' ? timeout() : notReady());
    return;
  }
  const loss = faults.takeLoss();
  if (loss?.committed === false) {
    lose(batch, request, write.stream, loss);
    return;
  }
  counts.appends += 1;
  const outcome = append(log, write.stream, write.expected, write.events);
  if (loss === null) batch.reply(request, write.stream, resultOf(outcome, write));
  else lose(batch, request, write.stream, loss);
}

function lose(batch: Batch, request: streams.BatchAppendReq, stream: string, { by }: Loss): void {
  switch (by) {
    case 'silence':
      return;
    case 'end':
      batch.end();
      return;
    case 'drop':
      batch.node.drop();
      return;
    case 'unavailable':
      batch.end(refusals.unavailable());
      return;
    case 'timeout':
      batch.reply(request, stream, timeout());
  }
}

function addTo(node: Node, write: Pending, request: streams.BatchAppendReq): Result | null {
  for (const message of request.getProposedMessagesList()) {
    const event = proposedOf(message);
    if (event === null) return badRequest('An event has no id, type or content type.');
    write.events.push(event);
    write.size += sizeOf(event);
  }
  return write.size > node.maxAppendSizeBytes ? tooLarge(node.maxAppendSizeBytes) : null;
}

function timeoutOf(options: streams.BatchAppendReq.Options): number {
  const until = options.getDeadline();
  return until === undefined ? WRITE_TIMEOUT_MS : until.toDate().getTime() - Date.now();
}

type Result = statusPb.Status | streams.BatchAppendResp.Success;

function responseTo(
  request: streams.BatchAppendReq,
  stream: string,
  result: Result,
): streams.BatchAppendResp {
  const response = new streams.BatchAppendResp()
    .setCorrelationId(request.getCorrelationId())
    .setStreamIdentifier(identifierOf(stream));
  return result instanceof statusPb.Status
    ? response.setError(result)
    : response.setSuccess(result);
}

function resultOf(outcome: Outcome, { stream, expected }: Pending): Result {
  switch (outcome.kind) {
    case 'deleted':
      return streamDeleted(stream);
    case 'wrong-revision':
      return wrongExpectedVersion(expected, outcome.current);
    case 'done': {
      const success = new streams.BatchAppendResp.Success();
      if (outcome.revision < 0) success.setNoStream(new emptyPb.Empty());
      else success.setCurrentRevision(String(outcome.revision));
      if (outcome.position === undefined) return success.setNoPosition(new emptyPb.Empty());
      const at = String(outcome.position);
      return success.setPosition(
        new shared.AllStreamPosition().setCommitPosition(at).setPreparePosition(at),
      );
    }
  }
}
