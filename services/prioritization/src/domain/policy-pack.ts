/** The four yes/no questions of the pack, in its column order. */
export type Signals<V> = Readonly<{
  inKev: V;
  publiclyExposed: V;
  automatable: V;
  technicalImpactTotal: V;
}>;

export type PackRow = Readonly<{
  row: number;
  when: Signals<boolean>;
  outcome: string;
  /** Calendar days to remediate; `null`: at the next system upgrade. */
  days: number | null;
}>;

/** A deadline table as versioned data: every combination of the signals has exactly one row. */
export type PolicyPack = Readonly<{ name: string; version: string; rows: readonly PackRow[] }>;

/** Rows that the known signals leave possible, strictest first; an unknown signal leaves both. */
export function possibleRows(
  pack: PolicyPack,
  signals: Signals<boolean | null>,
): readonly PackRow[] {
  return pack.rows
    .filter(({ when }) => agrees(when, signals))
    .toSorted((a, b) => strictness(a) - strictness(b) || a.row - b.row);
}

function agrees(when: Signals<boolean>, signals: Signals<boolean | null>): boolean {
  return (
    (signals.inKev ?? when.inKev) === when.inKev &&
    (signals.publiclyExposed ?? when.publiclyExposed) === when.publiclyExposed &&
    (signals.automatable ?? when.automatable) === when.automatable &&
    (signals.technicalImpactTotal ?? when.technicalImpactTotal) === when.technicalImpactTotal
  );
}

function strictness({ days, outcome }: PackRow): number {
  if (days === null) return Number.MAX_SAFE_INTEGER;
  // Of two equal deadlines the one that also asks for forensics demands more.
  return days * 2 + (outcome.includes('forensic') ? 0 : 1);
}
