/** Parts that were started, to be stopped in the opposite order. */
export type Parts = Readonly<{
  add: (stop: () => Promise<void>) => void;
  /**
   * Stops every part, also when one cannot stop: it must not keep the others, a database server
   * above all, running.
   * @throws AggregateError of what failed
   */
  stop: () => Promise<void>;
}>;

export function createParts(): Parts {
  const stops: (() => Promise<void>)[] = [];
  return {
    add: (stop) => {
      stops.push(stop);
    },
    stop: async () => {
      const failures: unknown[] = [];
      for (const stop of stops.splice(0).reverse()) {
        await stop().catch((error: unknown) => failures.push(error));
      }
      if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('; '));
    },
  };
}
