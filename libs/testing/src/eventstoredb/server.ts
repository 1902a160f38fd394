import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import gossipGrpc from '@eventstore/db-client/generated/gossip_grpc_pb.js';
import featuresGrpc from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import streamsGrpc from '@eventstore/db-client/generated/streams_grpc_pb.js';
import grpc from '@grpc/grpc-js';
import { createAccess, everythingAllowed, type User } from './access.js';
import { appendHandler, deleteHandler, tombstoneHandler } from './append.js';
import { batchAppendHandler } from './batch-append.js';
import type { EventStoreDbControl, EventStoreDbState, OpenCallKind } from './control.js';
import { type ControlChannel, openControlChannel } from './control-channel.js';
import { createFaults, type Faults } from './faults.js';
import { featuresHandler, gossipHandler } from './features.js';
import { createGate, type Gate, HOST } from './gate.js';
import { createLog, jsonEvent, type Log, metadataStreamOf } from './log.js';
import { dialectOf, type Node } from './node.js';
import { readHandler } from './read.js';
import { type Certificate, selfSignedCertificate } from './tls.js';
import { caughtUpMessage, fellBehindMessage } from './wire.js';

export type EventStoreDbOptions = {
  /** What the server says it is; some behaviour depends on it. */
  readonly version?: string;
  /** With TLS comes access control; without, everything is allowed, as with `--insecure`. */
  readonly tls?: boolean;
  /** Beside admin and ops, whose password is `changeit`. */
  readonly users?: readonly User[];
  /** 1 MiB, from 25.1 on 256 MiB, if missing. */
  readonly maxAppendSizeBytes?: number;
  /** 0, the default, takes a free one. */
  readonly port?: number;
};

export type EventStoreDbDouble = {
  readonly host: string;
  readonly port: number;
  /** As administrator. */
  readonly connectionString: string;
  /** As somebody else; null for nobody. */
  connectionStringFor(user: { readonly name: string; readonly password: string } | null): string;
  /** The certificate's file, where there is TLS. */
  readonly caFile: string | null;
  readonly control: EventStoreDbControl;
  /** Where another process steers it: see `steerEventStoreDb`. */
  readonly controlUrl: string;
  stop(): Promise<void>;
};

const DEFAULT_VERSION = '24.10.13';
const ADMIN: User = { name: 'admin', password: 'changeit', groups: ['$admins'] };
const OPS: User = { name: 'ops', password: 'changeit', groups: ['$ops'] };

/** Starts a double of EventStoreDB on the loopback interface. Stop it: nothing is left running. */
export async function startEventStoreDb(
  options: EventStoreDbOptions = {},
): Promise<EventStoreDbDouble> {
  const { version = DEFAULT_VERSION, tls = false, users = [], port = 0 } = options;
  const log = createLog();
  const everybody = [ADMIN, OPS, ...users];
  recordUsers(log, everybody);
  const dialect = dialectOf(version);
  const faults = createFaults();
  const certificate = tls ? await selfSignedCertificate() : null;
  const node: Node = {
    log,
    faults,
    dialect,
    access: tls ? createAccess(log, everybody, dialect.anonymousMayUseStreams) : everythingAllowed,
    maxAppendSizeBytes: options.maxAppendSizeBytes ?? dialect.maxAppendSizeBytes,
    open: new Set(),
    counts: { appends: 0, reads: 0, subscriptions: 0, messages: 0 },
    drop: () => gate.reset(),
  };
  let backend: Backend | null = null;
  const gate = await createGate(port, () => backend?.port ?? 0);
  const serve = (): Promise<Backend> => startBackend(node, certificate, gate.port);
  backend = await serve();
  const restart = async (downMs: number): Promise<void> => {
    await gate.shut();
    backend?.stop();
    await pause(downMs);
    backend = await serve();
    await gate.open();
  };
  const control = controlOf(node, gate, restart);
  const channel: ControlChannel = await openControlChannel(control);
  const files = await filesOf(certificate);

  return {
    host: HOST,
    port: gate.port,
    ...connectionStrings(gate.port, files.caFile),
    caFile: files.caFile,
    control,
    controlUrl: channel.url,
    stop: async () => {
      await channel.close();
      await gate.shut();
      backend?.stop();
      await files.remove();
    },
  };
}

type Backend = { readonly port: number; stop(): void };

async function startBackend(
  node: Node,
  certificate: Certificate | null,
  publicPort: number,
): Promise<Backend> {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': 17 * 1024 * 1024 });
  server.addService(streamsGrpc.StreamsService, {
    read: readHandler(node),
    append: appendHandler(node),
    delete: deleteHandler(node),
    tombstone: tombstoneHandler(node),
    batchAppend: batchAppendHandler(node),
  });
  server.addService(featuresGrpc.ServerFeaturesService, {
    getSupportedMethods: featuresHandler(node),
  });
  server.addService(gossipGrpc.GossipService, {
    read: gossipHandler(randomUUID(), HOST, publicPort),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${HOST}:0`, credentialsOf(certificate), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return { port, stop: () => server.forceShutdown() };
}

function credentialsOf(certificate: Certificate | null): grpc.ServerCredentials {
  if (certificate === null) return grpc.ServerCredentials.createInsecure();
  return grpc.ServerCredentials.createSsl(null, [
    {
      private_key: Buffer.from(certificate.key),
      cert_chain: Buffer.from(certificate.cert),
    },
  ]);
}

/** A server's log begins with its own events, so that a test's first event is never the first. */
function recordUsers(log: Log, users: readonly User[]): void {
  for (const { name, groups } of users) {
    const stream = `$user-${name}`;
    log.write(metadataStreamOf(stream), [jsonEvent(randomUUID(), '$metadata', {})]);
    log.write(stream, [
      jsonEvent(randomUUID(), '$UserCreated', { loginName: name, groups, disabled: false }),
    ]);
    log.write('$users', [jsonEvent(randomUUID(), '$User', name)]);
  }
}

async function filesOf(certificate: Certificate | null) {
  if (certificate === null) return { caFile: null, remove: () => Promise.resolve() };
  const folder = await mkdtemp(join(tmpdir(), 'eventstoredb-double-'));
  const caFile = join(folder, 'ca.crt');
  await writeFile(caFile, certificate.cert);
  return { caFile, remove: () => rm(folder, { recursive: true, force: true }) };
}

function connectionStrings(port: number, caFile: string | null) {
  const query = caFile === null ? 'tls=false' : `tls=true&tlsCAFile=${encodeURIComponent(caFile)}`;
  const connectionStringFor: EventStoreDbDouble['connectionStringFor'] = (user) => {
    const who =
      user === null ? '' : `${encodeURIComponent(user.name)}:${encodeURIComponent(user.password)}@`;
    // TLS names its server, which an address cannot be.
    return `esdb://${who}${caFile === null ? HOST : 'localhost'}:${port}?${query}`;
  };
  return { connectionString: connectionStringFor(ADMIN), connectionStringFor };
}

function controlOf(
  node: Node,
  gate: Gate,
  restart: (downMs: number) => Promise<void>,
): EventStoreDbControl {
  const { faults, open } = node;
  const done = (): Promise<void> => Promise.resolve();
  return {
    endCalls: ({ kind }) => {
      const calls = [...open].filter((call) => call.kind === kind);
      for (const call of calls) call.end();
      return Promise.resolve(calls.length);
    },
    dropConnections: () => Promise.resolve(gate.reset()),
    delayReplies: ({ ms }) => {
      faults.delayMs = ms;
      return done();
    },
    refuseCalls: ({ calls, as, leader = { host: HOST, port: gate.port } }) => {
      faults.refuse(calls, as, leader);
      return done();
    },
    loseAppends: ({ appends, committed, by }) => {
      faults.lose(appends, { committed, by });
      return done();
    },
    tellSubscribers: ({ message }) => {
      const told = [...open].filter(({ kind }) => kind === 'subscription');
      const make = message === 'caught-up' ? caughtUpMessage : fellBehindMessage;
      for (const call of told) call.send?.(make());
      return Promise.resolve(told.length);
    },
    refuseCredentials: ({ on }) => {
      faults.credentialsRefused = on;
      return done();
    },
    withholdEvents: ({ on }) => {
      faults.eventsWithheld = on;
      return done();
    },
    hang: ({ on }) => {
      gate.hang(on);
      return done();
    },
    restart: ({ downMs }) => restart(downMs),
    state: () => Promise.resolve(stateOf(node, gate)),
    behave: () => behave(faults, gate),
  };
}

function stateOf({ counts, open, log }: Node, gate: Gate): EventStoreDbState {
  const count = (kind: OpenCallKind): number =>
    [...open].filter((call) => call.kind === kind).length;
  return {
    counts: { ...counts },
    open: {
      subscription: count('subscription'),
      read: count('read'),
      batch: count('batch'),
      connection: gate.connections(),
    },
    events: log.all.length,
  };
}

function behave(faults: Faults, gate: Gate): Promise<void> {
  faults.clear();
  gate.hang(false);
  return Promise.resolve();
}
