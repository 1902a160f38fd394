import type grpc from '@grpc/grpc-js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { type Filter, filterOf } from './filter.js';
import { firstRevision, isSoftDeleted, type Log, type Recorded } from './log.js';
import { type Node, type OpenCall, refuseAccess } from './node.js';
import { type Outlet, outletOf } from './outlet.js';
import { subscribe, type Subscription } from './subscriptions.js';
import { eventMessage, refusals, streamName, streamNotFoundMessage, wireNumber } from './wire.js';

type Options = streams.ReadReq.Options;

const ALL_STREAM = '$all';
const { BACKWARDS } = streams.ReadReq.Options.ReadDirection;

/**
 * Reads and subscriptions of one stream or of all. As in
 * https://github.com/EventStore/EventStore/blob/oss-v24.6.0/src/EventStore.Core/Services/Transport/Grpc/Streams.Read.cs
 */
export function readHandler(
  node: Node,
): grpc.handleServerStreamingCall<streams.ReadReq, streams.ReadResp> {
  return (call) => {
    const outlet = outletOf(call, node.counts);
    const options = call.request.getOptions() ?? new streams.ReadReq.Options();
    const name = options.getStream()?.getStreamIdentifier();
    const stream = options.hasAll() ? ALL_STREAM : streamName(name);
    const refusal = refuseAccess(node, call.metadata, 'read', stream);
    if (refusal !== null) {
      outlet.fail(refusal);
      return;
    }
    void node.faults.delay().then(() => serve(node, outlet, options, stream));
  };
}

async function serve(node: Node, outlet: Outlet, options: Options, stream: string): Promise<void> {
  const filter = filterIn(options);
  if (filter === 'invalid') {
    outlet.fail(refusals.invalidArgument('The filter is not valid.'));
    return;
  }
  if (options.hasSubscription()) {
    node.counts.subscriptions += 1;
    await subscribe(node, outlet, subscriptionIn(node.log, options, stream, filter));
    return;
  }
  node.counts.reads += 1;
  const call: OpenCall = { kind: 'read', end: () => outlet.end() };
  node.open.add(call);
  outlet.onClose(() => node.open.delete(call));
  if (stream === ALL_STREAM) await readAll(node.log, outlet, options, filter);
  else await readStream(node.log, outlet, options, stream);
}

function filterIn(options: Options): Filter | null | 'invalid' {
  const filter = options.getFilter();
  return filter === undefined ? null : (filterOf(filter) ?? 'invalid');
}

/** Everything behind the position or revision given, which is exclusive. */
function subscriptionIn(
  log: Log,
  options: Options,
  stream: string,
  filter: Filter | null,
): Subscription {
  const all = options.getAll();
  if (all !== undefined) {
    const after = all.getPosition();
    const position = after === undefined ? -1 : wireNumber(after.getCommitPosition());
    const from = all.hasEnd() ? log.end() - 1 : position;
    return { stream: null, from, matches: filter?.matches ?? always, filter };
  }
  const one = options.getStream();
  const revision = one?.hasRevision() === true ? wireNumber(one.getRevision()) : -1;
  const after = one?.hasEnd() === true ? log.lastRevision(stream) : revision;
  return {
    stream,
    from: -1,
    matches: (event) =>
      event.stream === stream && event.revision > after && isShown(log, stream, event),
    filter: null,
  };
}

function always(): boolean {
  return true;
}

function isShown(log: Log, stream: string, { revision }: Recorded): boolean {
  return !isSoftDeleted(log, stream) && revision >= firstRevision(log, stream);
}

/** As in https://github.com/EventStore/EventStore/blob/oss-v24.6.0/src/EventStore.Core/Services/Storage/ReaderIndex/IndexReader.cs */
async function readStream(
  log: Log,
  outlet: Outlet,
  options: Options,
  stream: string,
): Promise<void> {
  if (log.isTombstoned(stream)) {
    outlet.fail(refusals.streamDeleted(stream));
    return;
  }
  const last = log.lastRevision(stream);
  if (last < 0 || isSoftDeleted(log, stream)) {
    outlet.write(streamNotFoundMessage(stream));
    outlet.end();
    return;
  }
  const shown = readable(log, stream, options);
  await send(outlet, shown, wireNumber(options.getCount()));
}

function readable(log: Log, stream: string, options: Options): readonly Recorded[] {
  const where = options.getStream();
  const events = log.events(stream);
  const first = firstRevision(log, stream);
  const edge = where?.hasEnd() === true ? events.length : 0;
  const from = where?.hasRevision() === true ? wireNumber(where.getRevision()) : edge;
  return options.getReadDirection() === BACKWARDS
    ? events.slice(first, from + 1).reverse()
    : events.slice(Math.max(first, from));
}

/**
 * Forwards from a position includes the event there; backwards begins with the event before it.
 * A position that is not an event's is refused. As in
 * https://github.com/EventStore/EventStore/blob/oss-v24.6.0/src/EventStore.Core/Services/Storage/ReaderIndex/AllReader.cs
 */
async function readAll(
  log: Log,
  outlet: Outlet,
  options: Options,
  filter: Filter | null,
): Promise<void> {
  const where = options.getAll();
  const asked = where?.getPosition();
  const edge = where?.hasEnd() === true ? log.end() : 0;
  const from = asked === undefined ? edge : wireNumber(asked.getCommitPosition());
  if (from < log.end() && !log.isBoundary(from)) {
    outlet.fail(refusals.unknown('Unexpected ReadAllResult: InvalidPosition'));
    return;
  }
  const index = log.indexAt(from);
  const count = wireNumber(options.getCount());
  const reach = filter === null ? count : Infinity;
  const events =
    options.getReadDirection() === BACKWARDS
      ? log.all.slice(Math.max(0, index - reach), index).reverse()
      : log.all.slice(index, index + reach);
  const shown = filter === null ? events : events.filter(filter.matches);
  await send(outlet, shown, count);
}

async function send(outlet: Outlet, events: readonly Recorded[], count: number): Promise<void> {
  for (const event of events.slice(0, count)) {
    if (outlet.closed) return;
    if (!outlet.write(eventMessage(event))) await outlet.drained();
  }
  outlet.end();
}
