import type { ComplianceRow } from '../domain/compliance.js';

export type ComplianceFilter = Readonly<{ department?: string; patchId?: string }>;

export type ComplianceEntry = Readonly<{
  endpointId: string;
  hostname: string;
  department: string;
  patchId: string;
  vendorKey: string;
  state: string;
  reason: string;
  installedVersion: string | null;
  since: string;
}>;

export type TrailEntry = Readonly<{
  /** Position in reporting's own order of arrival. */
  number: number;
  eventId: string;
  type: string;
  subject: string;
  time: string;
  recordedTime: string;
  actor: string;
  correlationId: string;
  causationId: string;
  data: unknown;
}>;

export type FailureTicket = Readonly<{ number: number; raisedAt: string; ticket: unknown }>;

export type Page = Readonly<{ after: number; size: number }>;
export type PageOf<T> = Readonly<{ rows: readonly T[]; next: number | null }>;

/** What the read models answer; every list is a page in a fixed order. */
export type ReportQueries = Readonly<{
  complianceCounts: (filter: ComplianceFilter) => Promise<readonly ComplianceRow[]>;
  complianceEntries: (filter: ComplianceFilter, page: Page) => Promise<PageOf<ComplianceEntry>>;
  patchTrail: (patchId: string, page: Page) => Promise<PageOf<TrailEntry>>;
  rolloutTimeline: (rolloutId: string, page: Page) => Promise<PageOf<TrailEntry>>;
  failureTickets: (rolloutId: string | null, page: Page) => Promise<PageOf<FailureTicket>>;
  /** Number of the newest event that the answers include; 0 while there is none. */
  position: () => Promise<number>;
}>;
