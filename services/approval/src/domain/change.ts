/** Which endpoints: every part that is present must hold; an empty selector means all. */
export type Selector = Readonly<{
  attributes?: Readonly<Record<string, string>>;
  endpointIds?: readonly string[];
  groupIds?: readonly string[];
}>;

export type Ring = Readonly<{
  name: string;
  /** The first ring whose selector matches takes the endpoint. */
  selector: Selector;
  /** Endpoints in flight at once. */
  cap: Readonly<{ unit: 'endpoints' | 'percent'; value: number }>;
  gate: Readonly<{ successPercentMin: number; failuresMax: number }>;
  bakeMs: number;
  deadlineMs: number;
}>;

/** How a change is rolled out, as a template states it. */
export type Rollout = Readonly<{
  name: string;
  rings: readonly Ring[];
  leaseMs: number;
  retry: Readonly<{ attemptsMax: number; backoffMs: number }>;
  rollback: 'automatic' | 'manual';
}>;

/** What endpoints in scope were like when approval was asked for; no others were judged. */
export type Reach = Readonly<{
  departments: readonly string[];
  environments: readonly ('production' | 'staging' | 'development')[];
  businessImpacts: readonly ('low' | 'moderate' | 'high' | 'mission-critical')[];
  exposures: readonly ('public' | 'controlled' | 'none')[];
}>;

/** What is approved, by value; its canonical digest is what every vote is bound to. */
export type Change = Readonly<{
  patches: readonly Readonly<{ patchId: string; revision: number; contentDigest: string }>[];
  scope: Selector;
  plan: Rollout & Readonly<{ templateId: string; templateRevision: number }>;
  /** Changes from before it was kept have none. */
  reach?: Reach;
}>;

export type Category = 'critical-security' | 'important' | 'feature' | 'optional';
