import { Kafka, logLevel, type SASLOptions } from 'kafkajs';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { Log } from '../log.js';
import { calmRequestQueue } from './calm-request-queue.js';
import { logCreator } from './client-log.js';

export type KafkaConnection = Readonly<{
  /** `host:port` of some brokers; the others are learnt from them. */
  brokers: readonly string[];
  clientId?: string;
  /** `true`: with the authorities that Node trusts. */
  ssl?: boolean | ConnectionOptions;
  sasl?: SASLOptions;
}>;

/** A client with connections of its own. */
export type Client = Readonly<{
  kafka: Kafka;
  /** Ends its connections at once and makes no more: whatever it was doing fails. */
  cut: () => void;
}>;

const CONNECT_MS_MAX = 5_000;
const REQUEST_MS_MAX = 10_000;
const KEEP_ALIVE_MS = 30_000;

/** Between two tries of one request, in milliseconds; who calls sets the deadline. */
export const RETRY = { initialRetryTime: 100, maxRetryTime: 1_000, multiplier: 2, factor: 0.2 };

/** How often a broker that is away is tried before what needs it fails. */
const CONNECT_RETRIES = 2;

export type ClientLimits = Readonly<{
  connectRetries?: number;
  /** For an answer, in milliseconds, where the protocol does not allow for more. */
  requestMs?: number;
}>;

export function openClient(
  connection: KafkaConnection,
  log: Log | undefined,
  { connectRetries = CONNECT_RETRIES, requestMs = REQUEST_MS_MAX }: ClientLimits = {},
): Client {
  calmRequestQueue();
  const { brokers, clientId = 'patchtrail', ssl = false, sasl } = connection;
  const sockets = new Set<Socket>();
  let isCut = false;
  const kafka = new Kafka({
    // Without a broker to try, a client gives up. Nothing else ends all of its retries.
    brokers: () => (isCut ? [] : [...brokers]),
    clientId,
    ssl,
    ...(sasl === undefined ? {} : { sasl }),
    connectionTimeout: CONNECT_MS_MAX,
    authenticationTimeout: CONNECT_MS_MAX,
    requestTimeout: requestMs,
    enforceRequestTimeout: true,
    retry: { ...RETRY, retries: connectRetries },
    logLevel: logLevel.WARN,
    logCreator: logCreator(log),
    socketFactory: ({ host, port, ssl: options, onConnect }) => {
      if (isCut) throw new Error('this client is closed');
      const socket = openSocket(host, port, ssl === false ? null : options, onConnect);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      return socket;
    },
  });
  return {
    kafka,
    cut: () => {
      isCut = true;
      for (const socket of sockets) socket.destroy(new Error('this client is closed'));
    },
  };
}

function openSocket(
  host: string,
  port: number,
  tls: ConnectionOptions | null,
  onConnect: () => void,
): Socket {
  const servername = isIP(host) === 0 ? { servername: host } : {};
  const socket =
    tls === null
      ? connectTcp({ host, port }, onConnect)
      : connectTls({ host, port, ...servername, ...tls }, onConnect);
  return socket.setKeepAlive(true, KEEP_ALIVE_MS).setNoDelay(true);
}

/** Errors that kafkajs holds to be final, although a Kafka that is starting answers with them. */
const TRANSIENT = ['KafkaJSGroupCoordinatorNotFound', 'KafkaJSTimeout', 'KafkaJSLockTimeout'];

/** Whether the same may succeed later: the broker was away, moving or busy. */
export function isRetriable(error: unknown): boolean {
  let cause = error;
  for (let depth = 0; depth < 8 && cause instanceof Error; depth += 1) {
    if (TRANSIENT.includes(cause.name)) return true;
    if ('retriable' in cause && cause.retriable === true) return true;
    cause = cause.cause;
  }
  return false;
}

/** Whether kafkajs fell over the null that it takes for the answer of a broker which just failed. */
export function isAnswerLost(error: unknown): boolean {
  return error instanceof Error && error.name === 'TypeError' && /\bnull\b/.test(error.message);
}

/** The broker's name for what it answered, such as `UNKNOWN_TOPIC_OR_PARTITION`. */
export function answerOf(error: unknown): string | null {
  let cause = error;
  for (let depth = 0; depth < 8 && cause instanceof Error; depth += 1) {
    if ('type' in cause && typeof cause.type === 'string') return cause.type;
    cause = cause.cause;
  }
  return null;
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
