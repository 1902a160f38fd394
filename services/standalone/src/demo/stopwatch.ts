export type Stopwatch = Readonly<{
  /** Notes the milliseconds since the lap before under this name. */
  lap: (name: string) => void;
  /** The laps, and `total` since the start. */
  read: () => Readonly<Record<string, number>>;
}>;

export function startStopwatch(): Stopwatch {
  const start = performance.now();
  let last = start;
  const laps: Record<string, number> = {};
  return {
    lap: (name) => {
      const at = performance.now();
      laps[name] = Math.round(at - last);
      last = at;
    },
    read: () => ({ ...laps, total: Math.round(performance.now() - start) }),
  };
}
