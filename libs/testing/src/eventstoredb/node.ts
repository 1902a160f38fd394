import type grpc from '@grpc/grpc-js';
import type streams from '@eventstore/db-client/generated/streams_pb.js';
import type { Access, Action, Identity } from './access.js';
import type { OpenCallKind } from './control.js';
import type { Faults } from './faults.js';
import type { Log } from './log.js';
import { type Refusal, refusals } from './wire.js';

/** What depends on the server's version. */
export type Dialect = {
  readonly version: string;
  /** https://github.com/EventStore/EventStore/blob/oss-v23.10.0/src/Protos/Grpc/streams.proto */
  readonly tellsCaughtUp: boolean;
  /** Before 24.2; later servers go back to reading the log (KurrentDB#4007, #4093). */
  readonly dropsSlowConsumers: boolean;
  /**
   * Before 24.10.5 a filtered subscription that finds nothing from the start on is sent the
   * checkpoint (2^64-1, 2^64-1) (KurrentDB#4892, fixed in
   * https://github.com/kurrent-io/KurrentDB/blob/v24.10.5/src/EventStore.Core/Services/Transport/Enumerators/Enumerator.AllSubscriptionFiltered.cs).
   */
  readonly sendsInvalidCheckpoint: boolean;
  /** Before 23.10 there was no AllowAnonymousStreamAccess: access control lists alone decided. */
  readonly anonymousMayUseStreams: boolean;
  /**
   * From 25.1 on the default is as much as a chunk of the log holds
   * (https://github.com/kurrent-io/KurrentDB/blob/v25.1.0/src/KurrentDB.Core/Configuration/ClusterVNodeOptions.cs).
   */
  readonly maxAppendSizeBytes: number;
};

const MIB = 1024 * 1024;

export function dialectOf(version: string): Dialect {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  const before = (...[a, b, c]: [number, number, number]): boolean =>
    (major - a || minor - b || patch - c) < 0;
  return {
    version,
    tellsCaughtUp: !before(23, 10, 0),
    dropsSlowConsumers: before(24, 2, 0),
    sendsInvalidCheckpoint: before(24, 10, 5),
    anonymousMayUseStreams: before(23, 10, 0),
    maxAppendSizeBytes: before(25, 1, 0) ? MIB : 256 * MIB,
  };
}

/** A call that lasts: it can be ended cleanly from the server's side. */
export type OpenCall = {
  readonly kind: OpenCallKind;
  end(): void;
  /** Subscriptions only: a message out of turn. */
  send?(message: streams.ReadResp): void;
};

/** What every handler works on. */
export type Node = {
  readonly log: Log;
  readonly access: Access;
  readonly faults: Faults;
  readonly dialect: Dialect;
  readonly maxAppendSizeBytes: number;
  readonly open: Set<OpenCall>;
  readonly counts: { appends: number; reads: number; subscriptions: number; messages: number };
  /** Resets every connection. */
  drop(): number;
};

export type Admission =
  | { readonly refusal: Refusal; readonly identity?: undefined }
  | { readonly identity: Identity; readonly refusal?: undefined };

/** Who calls, unless the call is to fail at once. */
export function admit(node: Node, metadata: grpc.Metadata): Admission {
  const identity = node.access.identify(metadata);
  return identity === 'refused' || node.faults.credentialsRefused
    ? { refusal: refusals.unauthenticated() }
    : { identity };
}

/** Null where the caller may go on. */
export function refuseAccess(
  node: Node,
  metadata: grpc.Metadata,
  action: Action,
  stream: string,
): Refusal | null {
  const { refusal, identity } = admit(node, metadata);
  if (refusal !== undefined) return refusal;
  const due = node.faults.takeRefusal();
  if (due !== null) return due.refusal;
  return node.access.may(identity, action, stream) ? null : refusals.accessDenied();
}
