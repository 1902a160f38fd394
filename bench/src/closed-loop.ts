export type Measured = Readonly<{
  /** Completed per second. */
  rate: number;
  p50Ms: number;
  p99Ms: number;
  done: number;
  failed: number;
}>;

/** What was done in how long, and how long each took. */
export type Slice = { done: number; failed: number; ms: number; readonly latencies: number[] };

/** Keeps a number of acts in flight for a while; each worker begins the next when one is done. */
export async function runSlice(
  inFlight: number,
  forMs: number,
  act: (worker: number) => Promise<void>,
  mayFail: (error: unknown) => boolean = () => false,
): Promise<Slice> {
  const slice: Slice = { done: 0, failed: 0, ms: 0, latencies: [] };
  const begin = performance.now();
  const end = begin + forMs;
  const work = async (worker: number) => {
    for (let from = performance.now(); from < end;) {
      try {
        await act(worker);
        slice.done += 1;
      } catch (error) {
        if (!mayFail(error)) throw error;
        slice.failed += 1;
      }
      const to = performance.now();
      slice.latencies.push(to - from);
      from = to;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, worker) => work(worker)));
  slice.ms = performance.now() - begin;
  return slice;
}

export function summaryOf(slices: readonly Slice[]): Measured {
  const sum = (of: (slice: Slice) => number) => slices.reduce((total, one) => total + of(one), 0);
  const latencies = slices.flatMap((slice) => slice.latencies).sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor((latencies.length - 1) * share)] ?? 0;
  const done = sum((slice) => slice.done);
  return {
    rate: Math.round((done / sum(({ ms }) => ms)) * 1_000),
    p50Ms: Number(at(0.5).toFixed(2)),
    p99Ms: Number(at(0.99).toFixed(2)),
    done,
    failed: sum((slice) => slice.failed),
  };
}
