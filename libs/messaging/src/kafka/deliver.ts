import type { EachBatchPayload, KafkaMessage } from 'kafkajs';
import type { ConsumerOptions } from '../bus.js';
import type { Log } from '../log.js';
import { fromRecord } from './cloud-event.js';
import type { MemberHealth } from './health.js';

export type Deliverer = Readonly<{
  eachBatch: (payload: EachBatchPayload) => Promise<void>;
  /** Partitions were assigned anew: nothing handled under the earlier assignment is committed. */
  assigned: () => void;
  /** Resolves when no delivery is in hand. */
  idle: () => Promise<void>;
  stop: () => void;
}>;

type Options = ConsumerOptions &
  Readonly<{
    pace: Readonly<{
      heartbeatMs: number;
      silenceMs: number;
      redeliveryMs: number;
      commitMs: number;
    }>;
    log: Log | undefined;
    health: MemberHealth;
  }>;

/** One delivery at a time; beats while it is handled, and commits what was handled. */
export function createDeliverer(options: Options): Deliverer {
  const { signal, pace } = options;
  const resumptions = new Set<NodeJS.Timeout>();
  let generation = 0;
  let inHand: Promise<unknown> = Promise.resolve();

  const postpone = (resume: () => void) => {
    const timer = setTimeout(() => {
      resumptions.delete(timer);
      resume();
    }, pace.redeliveryMs);
    resumptions.add(timer);
  };

  const deliver = async (payload: EachBatchPayload) => {
    const assignment = generation;
    const isMine = () => generation === assignment && !payload.isStale();
    const progress = createProgress(payload, isMine);
    try {
      for (const message of payload.batch.messages) {
        if (signal.aborted || !payload.isRunning() || !isMine()) return;
        const handled = handledWhileBeating(options, payload, message);
        inHand = handled;
        if (!(await handled)) {
          postpone(payload.pause());
          return;
        }
        if (!isMine()) return;
        payload.resolveOffset(message.offset);
        progress.handled(message.offset);
        if (progress.ageMs() >= pace.commitMs) await progress.commit();
        await payload.heartbeat();
      }
    } finally {
      await progress.commit();
    }
  };
  return {
    eachBatch: deliver,
    assigned: () => (generation += 1),
    idle: async () => {
      await inHand;
    },
    stop: () => {
      for (const timer of resumptions) clearTimeout(timer);
    },
  };
}

type Progress = Readonly<{
  handled: (offset: string) => void;
  /** Since the last commit. */
  ageMs: () => number;
  commit: () => Promise<void>;
}>;

function createProgress(payload: EachBatchPayload, isMine: () => boolean): Progress {
  const { topic, partition } = payload.batch;
  let next: string | null = null;
  let committedAt = performance.now();
  return {
    handled: (offset) => (next = String(BigInt(offset) + 1n)),
    ageMs: () => performance.now() - committedAt,
    commit: async () => {
      if (next === null || !isMine()) return;
      const offset = next;
      next = null;
      committedAt = performance.now();
      await payload.commitOffsetsIfNecessary({
        topics: [{ topic, partitions: [{ partition, offset }] }],
      });
    },
  };
}

/** False: it failed, and is to come again. */
async function handledWhileBeating(
  options: Options,
  payload: EachBatchPayload,
  message: KafkaMessage,
): Promise<boolean> {
  const { topic, partition } = payload.batch;
  const { group, log, pace, health } = options;
  const { offset } = message;
  const end = performance.now() + pace.silenceMs;
  const beat = setInterval(() => {
    if (performance.now() >= end) return;
    // A rebalance waits for this delivery; it is taken up after it.
    payload.heartbeat().then(health.alive, () => undefined);
  }, pace.heartbeatMs);
  try {
    const delivery = { topic, partition, offset: BigInt(offset), message: fromRecord(message) };
    await options.handle(delivery);
    return true;
  } catch (error) {
    const where = { group, topic, partition, offset };
    log?.warn({ err: error, ...where }, 'A delivery failed and will come again.');
    return false;
  } finally {
    clearInterval(beat);
  }
}
