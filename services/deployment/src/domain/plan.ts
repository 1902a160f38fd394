/** The parts of an approved change that a rollout decides by; the same shapes as they travel. */
export type Selector = {
  attributes?: Record<string, string>;
  endpointIds?: string[];
  groupIds?: string[];
};

export type Cap = { unit: 'endpoints' | 'percent'; value: number };

export type Gate = { successPercentMin: number; failuresMax: number };

export type Ring = {
  name: string;
  selector: Selector;
  cap: Cap;
  gate: Gate;
  bakeMs: number;
  deadlineMs: number;
};

export type RetryPolicy = { attemptsMax: number; backoffMs: number };

export type Plan = {
  templateId: string;
  templateRevision: number;
  name: string;
  rings: Ring[];
  leaseMs: number;
  retry: RetryPolicy;
  rollback: 'automatic' | 'manual';
};

/** What endpoints were like that a change was approved for. */
export type Reach = {
  departments: string[];
  environments: ('production' | 'staging' | 'development')[];
  businessImpacts: ('low' | 'moderate' | 'high' | 'mission-critical')[];
  exposures: ('public' | 'controlled' | 'none')[];
};

export type PatchRef = { patchId: string; revision: number; contentDigest: string };

/** Endpoints of a ring that may be in flight at once: percent rounds up, never below 1. */
export function capOf(cap: Cap, endpointCount: number): number {
  const wanted =
    cap.unit === 'percent' ? Math.ceil((endpointCount * cap.value) / 100) : Math.floor(cap.value);
  return Math.max(1, Math.min(wanted, endpointCount));
}

/** How many parts of about a size a ring has. Never more than its cap, for every part needs a slot to finish. */
export function partCountOf(endpointCount: number, cap: number, partSize: number): number {
  return Math.max(1, Math.min(Math.ceil(endpointCount / partSize), cap));
}

/** The cap split over the parts: whole numbers that differ by at most one and sum up to the cap. */
export function sharesOf(cap: number, parts: number): readonly number[] {
  const least = Math.floor(cap / parts);
  return Array.from({ length: parts }, (_, part) => least + (part < cap % parts ? 1 : 0));
}
