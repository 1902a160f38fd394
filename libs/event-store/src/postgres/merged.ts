import { EventStoreBusy } from './event-store-busy.js';

export type MergedOptions<Work, Result> = Readonly<{
  /** What is in the queue and in a batch is bounded by these. */
  batchMax: Amount;
  queueMax: Amount;
  amountOf: (work: Work) => Amount;
  /** Batches under way at the same time. */
  lanes: number;
  /** How long work may wait for a lane. */
  waitMsMax: number;
  /** One outcome per piece of work, in its order. Where it rejects, every piece fails. */
  run: (batch: readonly Work[]) => Promise<readonly Outcome<Result>[]>;
}>;

export type Amount = Readonly<{ count: number; bytes: number }>;

export type Outcome<Result> =
  Readonly<{ ok: true; result: Result }> | Readonly<{ ok: false; error: unknown }>;

export type Merged<Work, Result> = {
  /** @throws EventStoreBusy where the queue is full or the wait was too long: nothing was begun */
  submit(work: Work): Promise<Result>;
  /** Takes no more, and resolves when everything submitted is settled. */
  close(): Promise<void>;
};

type Waiting<Work, Result> = Readonly<{
  work: Work;
  amount: Amount;
  deadline: number;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}>;

/**
 * Makes batches of what concurrent callers ask for. Nothing waits for a batch to fill: work goes as
 * soon as a lane is free, with everything else that waits by then and fits.
 */
export function merged<Work, Result>(options: MergedOptions<Work, Result>): Merged<Work, Result> {
  const queue: Waiting<Work, Result>[] = [];
  let queued: Amount = { count: 0, bytes: 0 };
  let running = 0;
  let isScheduled = false;
  let isClosed = false;
  let timer: NodeJS.Timeout | null = null;
  let onIdle: () => void = () => undefined;
  const idle = new Promise<void>((resolve) => {
    onIdle = resolve;
  });

  const take = (count: number) => {
    const taken = queue.splice(0, count);
    for (const { amount } of taken) queued = minus(queued, amount);
    return taken;
  };

  const dispatch = () => {
    isScheduled = false;
    while (running < options.lanes && queue.length > 0) {
      running += 1;
      void settle(options, take(batchLength(queue, options.batchMax))).then(() => {
        running -= 1;
        schedule();
      });
    }
    if (isClosed && running === 0) onIdle();
  };

  /** After the callers that are about to go on in this same turn: they come along. */
  const schedule = () => {
    if (isScheduled || running === options.lanes) return;
    isScheduled = true;
    process.nextTick(dispatch);
  };

  const expire = () => {
    timer = null;
    const now = performance.now();
    const late = queue.findIndex(({ deadline }) => deadline > now);
    for (const { reject } of take(late === -1 ? queue.length : late)) {
      reject(new EventStoreBusy('waited-too-long'));
    }
    watch();
  };

  const watch = () => {
    const [oldest] = queue;
    if (timer !== null || oldest === undefined) return;
    timer = setTimeout(expire, Math.max(1, oldest.deadline - performance.now()));
    timer.unref();
  };

  return {
    submit: (work) => {
      if (isClosed) return Promise.reject(new Error('The event store is closed.'));
      const amount = options.amountOf(work);
      if (!fits(plus(queued, amount), options.queueMax)) {
        return Promise.reject(new EventStoreBusy('queue-full'));
      }
      queued = plus(queued, amount);
      return new Promise((resolve, reject) => {
        const deadline = performance.now() + options.waitMsMax;
        queue.push({ work, amount, deadline, resolve, reject });
        watch();
        schedule();
      });
    },
    close: async () => {
      isClosed = true;
      schedule();
      await idle;
    },
  };
}

/** How many from the front make the next batch: at least one. */
function batchLength(queue: readonly { amount: Amount }[], max: Amount): number {
  let sum: Amount = { count: 0, bytes: 0 };
  const end = queue.findIndex(({ amount }) => {
    sum = plus(sum, amount);
    return !fits(sum, max);
  });
  return end === -1 ? queue.length : Math.max(1, end);
}

async function settle<Work, Result>(
  { run }: MergedOptions<Work, Result>,
  batch: readonly Waiting<Work, Result>[],
): Promise<void> {
  try {
    const outcomes = await run(batch.map(({ work }) => work));
    for (const [index, { resolve, reject }] of batch.entries()) {
      const outcome = outcomes[index];
      if (outcome?.ok === true) resolve(outcome.result);
      else reject(outcome?.error ?? new Error('A batch left one of its callers without outcome.'));
    }
  } catch (error) {
    for (const { reject } of batch) reject(error);
  }
}

function plus(a: Amount, b: Amount): Amount {
  return { count: a.count + b.count, bytes: a.bytes + b.bytes };
}

function minus(a: Amount, b: Amount): Amount {
  return { count: a.count - b.count, bytes: a.bytes - b.bytes };
}

function fits(amount: Amount, max: Amount): boolean {
  return amount.count <= max.count && amount.bytes <= max.bytes;
}
