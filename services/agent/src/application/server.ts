import type { Outcome } from '../domain/attempt.js';
import type { Lease } from '../domain/lease.js';
import type { EndpointFacts, Inventory } from './executor.js';

export type Enrolment = EndpointFacts &
  Readonly<{ token: string; credentialDigest: string; agentVersion: string }>;

export type InventoryReport = Inventory &
  Readonly<{ sequence: number; collectedAt: string; agentVersion: string }>;

/** The server understood and said no; asking again in the same words changes nothing. */
export class ServerRefused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
  ) {
    super(`${status} ${code}: ${detail}`);
    this.name = 'ServerRefused';
  }
}

/** No usable answer; the same request may succeed later. */
export class ServerUnavailable extends Error {
  constructor(detail: string) {
    super(detail);
    this.name = 'ServerUnavailable';
  }
}

/** The requests of an enrolled agent; each throws `ServerRefused` or `ServerUnavailable`. */
export type Server = Readonly<{
  putInventory: (report: InventoryReport) => Promise<void>;
  lease: (busyWith: string | null) => Promise<Lease | null>;
  confirm: (attemptId: string, epoch: number) => Promise<void>;
  report: (attemptId: string, epoch: number, outcome: Outcome) => Promise<void>;
}>;
