import type { EachBatchPayload } from 'kafkajs';
import { AT_ONCE, type ConsumerOptions, type Delivery } from '../bus.js';
import { handleInLanes } from '../lanes.js';
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

/** Beats while deliveries are handled, and commits as far as everything before is. */
export function createDeliverer(options: Options): Deliverer {
  const { signal, pace } = options;
  const resumptions = new Set<NodeJS.Timeout>();
  let generation = 0;
  const inHand = new Set<Promise<boolean>>();

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
    const pulse = createPulse(options, payload);
    const { topic, partition, messages } = payload.batch;
    try {
      await handleInLanes({
        deliveries: messages.map((message) => {
          const offset = BigInt(message.offset);
          return { topic, partition, offset, message: fromRecord(message) };
        }),
        atOnce: options.atOnce ?? AT_ONCE,
        isOver: () => signal.aborted || !payload.isRunning() || !isMine(),
        handle: async (delivery) => {
          const handling = pulse.during(() => handled(options, delivery));
          inHand.add(handling);
          const isHandled = await handling;
          inHand.delete(handling);
          if (!isHandled) postpone(payload.pause());
          return isHandled;
        },
        settled: async ({ offset }) => {
          progress.handled(offset);
          if (progress.ageMs() >= pace.commitMs) await progress.commit();
          await payload.heartbeat();
        },
      });
    } finally {
      pulse.stop();
      await progress.commit();
    }
  };
  return {
    eachBatch: deliver,
    assigned: () => (generation += 1),
    idle: async () => {
      await Promise.all(inHand);
    },
    stop: () => {
      for (const timer of resumptions) clearTimeout(timer);
    },
  };
}

type Progress = Readonly<{
  handled: (offset: bigint) => void;
  /** Since the last commit. */
  ageMs: () => number;
  commit: () => Promise<void>;
}>;

function createProgress(payload: EachBatchPayload, isMine: () => boolean): Progress {
  const { topic, partition } = payload.batch;
  let last: bigint | null = null;
  let committedAt = performance.now();
  let committing: Promise<void> = Promise.resolve();
  const write = async () => {
    if (last === null || !isMine()) return;
    const handled = last;
    last = null;
    committedAt = performance.now();
    await payload.commitOffsetsIfNecessary({
      topics: [{ topic, partitions: [{ partition, offset: String(handled + 1n) }] }],
    });
    // Not before: who fails to commit reads it again, for nothing else would commit it later.
    if (isMine()) payload.resolveOffset(String(handled));
  };
  return {
    handled: (offset) => (last = offset),
    ageMs: () => performance.now() - committedAt,
    // One after the other: one that is tried again must not overtake a later one.
    commit: () => (committing = committing.then(write)),
  };
}

/** False: it failed, and is to come again. */
async function handled({ group, log, handle }: Options, delivery: Delivery): Promise<boolean> {
  try {
    await handle(delivery);
    return true;
  } catch (error) {
    const { topic, partition, offset } = delivery;
    const where = { group, topic, partition, offset: String(offset) };
    log?.warn({ err: error, ...where }, 'A delivery failed and will come again.');
    return false;
  }
}

type Pulse = Readonly<{
  during: <T>(work: () => Promise<T>) => Promise<T>;
  stop: () => void;
}>;

/** Beats as long as nothing that is in hand has been so for too long. */
function createPulse({ pace, health }: Options, payload: EachBatchPayload): Pulse {
  /** The oldest first. */
  const inHand = new Set<{ readonly untilMs: number }>();
  const beat = setInterval(() => {
    const [oldest] = inHand;
    if (oldest === undefined || performance.now() >= oldest.untilMs) return;
    // A rebalance waits for what is in hand; it is taken up after it.
    payload.heartbeat().then(health.alive, () => undefined);
  }, pace.heartbeatMs);
  return {
    during: async (work) => {
      const one = { untilMs: performance.now() + pace.silenceMs };
      inHand.add(one);
      try {
        return await work();
      } finally {
        inHand.delete(one);
      }
    },
    stop: () => clearInterval(beat),
  };
}
