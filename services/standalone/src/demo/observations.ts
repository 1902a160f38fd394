import type { BadUpgrade, EndpointFacts, Upgrade } from './fleet.js';

export type ObservedPatch = Readonly<{
  patchId: string;
  sourcePackage: string;
  sourceVersion: string;
  securityOrigin: boolean;
  cves: readonly string[];
}>;

export type ObservedDecision = Readonly<{
  patchId: string;
  category: string;
  provisional: boolean;
  rows: readonly unknown[];
  unknownInputs: readonly string[];
}>;

export type ObservedRequest = Readonly<{
  status: string;
  requestedBy: string;
  approvedBy: readonly string[];
  grantedBy: string | null;
  reason: string;
}>;

export type ObservedCompliance = Readonly<{
  numerator: number;
  denominator: number;
  population: number;
}>;

/** Everything the checks are made from: the demo's own readings beside what the product says. */
export type Observations = Readonly<{
  upgrades: readonly Upgrade[];
  bad: BadUpgrade;
  before: readonly EndpointFacts[];
  after: readonly EndpointFacts[];
  patches: readonly ObservedPatch[];
  decisions: readonly ObservedDecision[];
  securityRequest: ObservedRequest;
  badRequest: ObservedRequest;
  /** How the requester's own vote was answered; `null` if it was taken. */
  selfApproval: Readonly<{ status: number; code: string }> | null;
  /** The security request as of just before its first vote. */
  justBefore: ObservedRequest;
  badRolloutStatus: string;
  /** Rings of the bad rollout that were ever opened. */
  badRingsOpened: readonly string[];
  tickets: readonly Readonly<{ severity: string; summary: string }>[];
  complianceBefore: ObservedCompliance;
  complianceAfter: ObservedCompliance;
  /** Event types of one security patch's trail, in order. */
  trail: readonly string[];
  /** How an agent with a made-up credential was answered. */
  strangerStatus: number;
}>;

export type Check = Readonly<{ name: string; ok: boolean; detail: string }>;
