/** The parts of the public API's answers that the demo reads. */
export type Screen<T> = Readonly<{ asOf: string; data: T }>;
export type Listed<T> = Readonly<{ items: readonly T[] }>;

export type PatchAnswer = Readonly<{
  patchId: string;
  sourcePackage: string;
  sourceVersion: string;
  securityOrigin: boolean;
  cves: readonly string[];
}>;

export type DecisionAnswer = Readonly<{
  patchId: string;
  category: string;
  provisional: boolean;
  rows: readonly unknown[];
  inputs: readonly Readonly<{ name: string; value: boolean | null }>[];
}>;

export type RequestAnswer = Readonly<{
  requestId: string;
  status: string;
  requestedBy: string;
  changeDigest: string;
  endpointCount: number;
  policy: Readonly<{ rule: string; reason: string }>;
  stages: readonly unknown[];
  votes: readonly Readonly<{ by: string; verdict: string; at: string }>[];
}>;

export type RolloutAnswer = Readonly<{
  rolloutId: string;
  status: string;
  rings: readonly Readonly<{
    ring: string;
    phase: string;
    /** Absent while the ring has not been opened. */
    opened?: unknown;
    states: Readonly<Record<string, number>>;
  }>[];
}>;

export type ComplianceAnswer = Readonly<{
  totals: Readonly<{ numerator: number; denominator: number; population: number }>;
}>;

export type TrailAnswer = Listed<
  Readonly<{ type: string; time: string; actor: string; subject: string }>
>;
export type TicketsAnswer = Listed<
  Readonly<{ ticket: Readonly<{ severity: string; summary: string }> }>
>;
