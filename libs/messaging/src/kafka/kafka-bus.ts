import type { Admin } from 'kafkajs';
import { type Bus, BusRefusal, type ConsumerOptions } from '../bus.js';
import type { Log } from '../log.js';
import { observedBus } from '../observed-bus.js';
import { backoffMs } from '../pause.js';
import { refuseConsumer, refuseGroup } from '../refuse.js';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  answerOf,
  isAnswerLost,
  isRetriable,
  type KafkaConnection,
  reasonOf,
  RETRY,
} from './client.js';
import { type BusHealth, createMemberHealth, type MemberHealth } from './health.js';
import { createLink, type Link } from './link.js';
import { PACE, type Pace, runMember } from './member.js';
import { lagOf, lagsOf, rewindGroup } from './offsets.js';
import { prefixed } from './prefixed.js';
import { createPublisher } from './publisher.js';
import { type Ask, createTopics, type Topics, type TopicSettings } from './topics.js';

export type KafkaBusOptions = KafkaConnection &
  Readonly<{
    log?: Log;
    topics?: TopicSettings;
    /** Before the names of topics and groups on a Kafka that is shared: `acceptance.` */
    prefix?: string;
    pace?: Partial<Pace>;
    /** Until a publication is acknowledged, in milliseconds; then its outcome is unknown. */
    publishMs?: number;
    /** For a question to Kafka, in milliseconds. */
    askMs?: number;
  }>;

/** `close` stops every member of this bus and waits for what is in hand, then disconnects. */
export type KafkaBus = Bus & Readonly<{ health: () => BusHealth; close: () => Promise<void> }>;

const PUBLISH_MS = 30_000;
const ASK_MS = 30_000;

/** The log in Kafka. Each running member has connections of its own. @throws Error: no answer */
export async function openKafkaBus(options: KafkaBusOptions): Promise<KafkaBus> {
  const { log, prefix = '', publishMs = PUBLISH_MS, askMs = ASK_MS, ...connection } = options;
  const link = createLink({
    connection,
    log,
    create: (kafka) => kafka.admin({ retry: { ...RETRY, retries: 2 } }),
    // What Kafka answers, it answers over a connection that works.
    survives: (error) => answerOf(error) !== null,
  });
  const ask = askOver(link, askMs);
  const topics = createTopics(ask, options.topics ?? {}, log);
  const { partitionsOf } = topics;
  const publisher = createPublisher({ connection, log, publishMs, partitionsOf });
  const pace = { ...PACE, ...options.pace };
  const members = createMembers({ connection, log, pace, topics });
  await ask('connecting', (admin) => admin.describeCluster()).catch(async (error: unknown) => {
    await link.close();
    throw error;
  });
  const bus: KafkaBus = {
    ensureTopic: topics.ensure,
    publish: publisher.publish,
    run: members.run,
    lag: async (group, names) => {
      await refuseUnknown(topics, names);
      return lagOf(ask, group, names);
    },
    rewind: async (group, names) => {
      refuseGroup(group);
      await refuseUnknown(topics, names);
      await rewindGroup({ connection, log, ask, rewindMs: askMs }, group, names);
    },
    health: () => {
      const failure = publisher.failure();
      const problems = [...members.problems(), ...(failure === null ? [] : [failure])];
      return { ok: problems.length === 0, detail: problems.join('; ') };
    },
    close: async () => {
      await members.close();
      await Promise.all([publisher.close(), link.close()]);
    },
  };
  const observed = observedBus(bus, {
    system: 'kafka',
    lagsOf: (group, names) => lagsOf(ask, group, names),
  });
  return prefix === '' ? observed : prefixed(observed, prefix);
}

type Members = Readonly<{
  run: (consumer: ConsumerOptions) => Promise<void>;
  problems: () => string[];
  close: () => Promise<void>;
}>;

function createMembers(
  options: Readonly<{
    connection: KafkaConnection;
    log: Log | undefined;
    pace: Pace;
    topics: Topics;
  }>,
): Members {
  const closing = new AbortController();
  const running = new Set<Promise<void>>();
  const healths = new Set<MemberHealth>();
  const member = async (consumer: ConsumerOptions) => {
    refuseConsumer(consumer);
    await refuseUnknown(options.topics, consumer.topics);
    const signal = AbortSignal.any([consumer.signal, closing.signal]);
    const health = createMemberHealth(consumer.group);
    healths.add(health);
    await runMember({ ...consumer, ...options, topics: consumer.topics, signal, health });
    // One that has failed for good stays unhealthy.
    healths.delete(health);
  };
  return {
    run: async (consumer) => {
      const done = member(consumer);
      running.add(done);
      await done.finally(() => running.delete(done));
    },
    problems: () => [...healths].flatMap((health) => health.problem() ?? []),
    close: async () => {
      closing.abort();
      await Promise.allSettled(running);
    },
  };
}

async function refuseUnknown(topics: Topics, names: readonly string[]): Promise<void> {
  if (names.length === 0) throw new BusRefusal('unknown-topic', 'topics', 'at least one');
  await Promise.all(names.map((name) => topics.partitionsOf(name)));
}

/** Asks again, with pauses, while Kafka is away, starting or moving. */
function askOver(link: Link<Admin>, askMs: number): Ask {
  return async (what, work) => {
    const deadline = performance.now() + askMs;
    let reason: string | null = null;
    for (let failures = 1; ; failures += 1) {
      try {
        return await link.use(deadline - performance.now(), what, work);
      } catch (cause) {
        const waitMs = backoffMs(failures, RETRY.initialRetryTime, RETRY.maxRetryTime);
        const isOver = performance.now() + waitMs >= deadline;
        if (isRetriable(cause) || isAnswerLost(cause)) reason = reasonOf(cause);
        else if (reason === null || !isOver) throw cause;
        if (isOver) {
          throw new Error(`Kafka has not answered (${what}): ${reason}`, { cause });
        }
        await sleep(waitMs);
      }
    }
  };
}
