/**
 * Endpoints of one part or ring, each counted once among the first eight names:
 * planned = waiting + inFlight + verified + alreadyCompliant + failed + timedOut + cancelled.
 * The last four divide those that are, or were, to be rolled back.
 */
export type Counters = Readonly<{
  planned: number;
  waiting: number;
  inFlight: number;
  verified: number;
  alreadyCompliant: number;
  failed: number;
  timedOut: number;
  cancelled: number;
  rollbackPending: number;
  rollingBack: number;
  rolledBack: number;
  rollbackFailed: number;
}>;

/** What a gate looked at. */
export type GateInputs = Readonly<
  Pick<
    Counters,
    'planned' | 'verified' | 'failed' | 'timedOut' | 'alreadyCompliant' | 'cancelled' | 'inFlight'
  >
>;

export const zeroCounters: Counters = {
  planned: 0,
  waiting: 0,
  inFlight: 0,
  verified: 0,
  alreadyCompliant: 0,
  failed: 0,
  timedOut: 0,
  cancelled: 0,
  rollbackPending: 0,
  rollingBack: 0,
  rolledBack: 0,
  rollbackFailed: 0,
};

export function sumCounters(all: readonly Counters[]): Counters {
  return all.reduce(
    (a, b) => ({
      planned: a.planned + b.planned,
      waiting: a.waiting + b.waiting,
      inFlight: a.inFlight + b.inFlight,
      verified: a.verified + b.verified,
      alreadyCompliant: a.alreadyCompliant + b.alreadyCompliant,
      failed: a.failed + b.failed,
      timedOut: a.timedOut + b.timedOut,
      cancelled: a.cancelled + b.cancelled,
      rollbackPending: a.rollbackPending + b.rollbackPending,
      rollingBack: a.rollingBack + b.rollingBack,
      rolledBack: a.rolledBack + b.rolledBack,
      rollbackFailed: a.rollbackFailed + b.rollbackFailed,
    }),
    zeroCounters,
  );
}

export function gateInputsOf(counters: Counters): GateInputs {
  const { planned, verified, failed, timedOut, alreadyCompliant, cancelled, inFlight } = counters;
  return { planned, verified, failed, timedOut, alreadyCompliant, cancelled, inFlight };
}

export function sumInputs(all: readonly GateInputs[]): GateInputs {
  return gateInputsOf(sumCounters(all.map((inputs) => ({ ...zeroCounters, ...inputs }))));
}
