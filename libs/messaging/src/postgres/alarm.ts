/** Remembers a ring until somebody waits for it, so that none is missed while working. */
export type Alarm = Readonly<{
  ring: () => void;
  /** Until the next ring, the deadline or the abort; at once if it rang since the last wait. */
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
}>;

export function createAlarm(): Alarm {
  let rung = false;
  let wake: (() => void) | null = null;
  return {
    ring: () => {
      rung = true;
      wake?.();
    },
    wait: async (ms, signal) => {
      if (!rung && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const done = () => {
            clearTimeout(timer);
            signal.removeEventListener('abort', done);
            wake = null;
            resolve();
          };
          const timer = setTimeout(done, ms);
          signal.addEventListener('abort', done);
          wake = done;
        });
      }
      rung = false;
    },
  };
}
