import type { Consumer, ConsumerConfig, EachBatchPayload } from 'kafkajs';
import type { ConsumerOptions } from '../bus.js';
import type { Log } from '../log.js';
import { backoffMs, pause } from '../pause.js';
import {
  answerOf,
  isRetriable,
  type KafkaConnection,
  openClient,
  reasonOf,
  RETRY,
} from './client.js';
import { within } from '../deadline.js';
import { createDeliverer } from './deliver.js';
import type { MemberHealth } from './health.js';

/** Times in milliseconds. */
export type Pace = Readonly<{
  /** Look for messages, and for a rebalance, at least this often. */
  pollMs: number;
  heartbeatMs: number;
  /** A member whose process is gone loses its partitions after this time. */
  sessionMs: number;
  /** One that stays in its handler for longer loses them too. */
  silenceMs: number;
  /** Between a handler's failure and the same delivery again. */
  redeliveryMs: number;
  /** While messages keep coming, what is handled is committed at least this often. */
  commitMs: number;
  /** After a lost connection, doubling up to `reconnectMsMax`. */
  reconnectMs: number;
  reconnectMsMax: number;
  /** To leave the group in order, once nothing is in hand. */
  leaveMs: number;
}>;

export const PACE: Pace = {
  pollMs: 250,
  heartbeatMs: 1_000,
  sessionMs: 6_000,
  silenceMs: 300_000,
  redeliveryMs: 500,
  commitMs: 100,
  reconnectMs: 100,
  reconnectMsMax: 5_000,
  leaveMs: 5_000,
};

/** Fetched at once: bounds the memory, and how long one partition makes the others wait. */
const PARTITION_BYTES_MAX = 131_072;
const FETCH_BYTES_MAX = 4 * 1_048_576;
const RETRIES_MAX = 2;

export type Member = ConsumerOptions &
  Readonly<{
    connection: KafkaConnection;
    pace: Pace;
    log: Log | undefined;
    health: MemberHealth;
  }>;

/** What a coordinator answers while it starts or moves. */
const ORDINARY = [
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
  'NOT_COORDINATOR_FOR_GROUP',
];

/**
 * Is a member until the signal aborts; comes back by itself while the broker is away.
 * @throws Error when Kafka refuses the member for good
 */
export async function runMember(member: Member): Promise<void> {
  const { signal, group, log, pace, health } = member;
  let failures = 0;
  while (!signal.aborted) {
    const error = await runSession(member, () => (failures = 0));
    if (error === null) return;
    failures += 1;
    const reason = reasonOf(error);
    if (!isRetriable(error)) {
      health.failed(reason);
      throw new Error(`Kafka has ended the member of ${group} for good: ${reason}`, {
        cause: error,
      });
    }
    health.lost(reason);
    const level = ORDINARY.includes(answerOf(error) ?? '') ? 'info' : 'warn';
    log?.[level]({ err: error, group, failures }, 'The member has lost its group and joins again.');
    await pause(backoffMs(failures, pace.reconnectMs, pace.reconnectMsMax), signal);
  }
}

/** @returns what ended it, or null once the signal has aborted */
async function runSession(member: Member, joined: () => void): Promise<unknown> {
  const { group, log, signal, pace, health } = member;
  // Who gets no answer for so long has lost its session anyway.
  const client = openClient(member.connection, log, { requestMs: pace.sessionMs });
  const consumer = client.kafka.consumer(consumerConfig(member));
  const deliverer = createDeliverer(member);
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    deliverer.assigned();
    joined();
    health.joined();
    log?.info({ group, partitions: payload.memberAssignment }, 'The member has its partitions.');
  });
  consumer.on(consumer.events.REBALANCING, () => health.joining());
  consumer.on(consumer.events.FETCH, () => health.alive());
  const crashed = new Promise<unknown>((resolve) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => resolve(payload.error));
  });
  health.joining();
  const started = start(consumer, member.topics, deliverer.eachBatch).catch(
    (error: unknown) => error,
  );
  const ended = await untilAborted(
    signal,
    started.then((error) => error ?? crashed),
  );
  let left: Promise<void> = Promise.resolve();
  if (signal.aborted) {
    await quietly(pace.leaveMs, started);
    await deliverer.idle();
    left = consumer.disconnect();
    await quietly(pace.leaveMs, left);
  }
  deliverer.stop();
  client.cut();
  // What was cut off learns it at its next try. Until then it keeps the process.
  await quietly(pace.leaveMs, Promise.allSettled([started, left]));
  return ended;
}

function consumerConfig({ group, pace }: Member): ConsumerConfig {
  return {
    groupId: group,
    sessionTimeout: pace.sessionMs,
    rebalanceTimeout: pace.silenceMs,
    heartbeatInterval: pace.heartbeatMs,
    maxWaitTimeInMs: pace.pollMs,
    maxBytesPerPartition: PARTITION_BYTES_MAX,
    maxBytes: FETCH_BYTES_MAX,
    allowAutoTopicCreation: false,
    // Another try is a new session, with new connections.
    retry: { ...RETRY, retries: RETRIES_MAX, restartOnFailure: () => Promise.resolve(false) },
  };
}

async function start(
  consumer: Consumer,
  topics: readonly string[],
  eachBatch: (payload: EachBatchPayload) => Promise<void>,
): Promise<null> {
  await consumer.connect();
  await consumer.subscribe({ topics: [...topics], fromBeginning: true });
  await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch });
  return null;
}

/** The result, or null as soon as the signal has aborted. */
async function untilAborted(signal: AbortSignal, work: Promise<unknown>): Promise<unknown> {
  let abort = (): void => undefined;
  const aborted = new Promise<null>((resolve) => {
    abort = () => resolve(null);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
  });
  try {
    return await Promise.race([aborted, work]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** What fails or takes longer is cut off next. */
async function quietly(ms: number, work: Promise<unknown>): Promise<void> {
  await within(ms, 'leaving', work).catch(() => undefined);
}
