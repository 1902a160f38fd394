/** Compliance of one endpoint with one patch, in AWS Systems Manager's names. */
export type State =
  | 'INSTALLED'
  | 'INSTALLED_OTHER'
  | 'INSTALLED_PENDING_REBOOT'
  | 'INSTALLED_REJECTED'
  | 'MISSING'
  | 'FAILED'
  | 'NOT_APPLICABLE'
  | 'UNKNOWN';

export type StateCount = Readonly<{ state: State; count: number }>;

export type Compliance = Readonly<{
  /** Pairs of endpoint and patch that are installed, a pending reboot not counted. */
  numerator: number;
  /** Pairs whose state is known and to which the patch applies. */
  denominator: number;
  /** Pairs in scope, before the exclusions below. */
  population: number;
  excluded: readonly Readonly<{ reason: string; count: number }>[];
  byState: Readonly<Partial<Record<State, number>>>;
}>;

/** Which states count as complied with, and which leave the denominator with a named reason. */
const ROLES: Readonly<Record<State, 'met' | 'open' | { excluded: string }>> = {
  INSTALLED: 'met',
  INSTALLED_OTHER: 'met',
  INSTALLED_PENDING_REBOOT: 'open',
  INSTALLED_REJECTED: 'open',
  MISSING: 'open',
  FAILED: 'open',
  NOT_APPLICABLE: { excluded: 'the patch does not apply' },
  UNKNOWN: { excluded: 'no recent inventory' },
};

/** A figure with its population: nothing leaves the denominator without a reason. */
export function complianceOf(rows: readonly StateCount[]): Compliance {
  const byState: Partial<Record<State, number>> = {};
  const excluded = new Map<string, number>();
  let numerator = 0;
  let denominator = 0;
  let population = 0;
  for (const { state, count } of rows) {
    const role = ROLES[state];
    byState[state] = (byState[state] ?? 0) + count;
    population += count;
    if (typeof role === 'object') {
      excluded.set(role.excluded, (excluded.get(role.excluded) ?? 0) + count);
      continue;
    }
    denominator += count;
    if (role === 'met') numerator += count;
  }
  return {
    numerator,
    denominator,
    population,
    excluded: [...excluded].map(([reason, count]) => ({ reason, count })),
    byState,
  };
}
