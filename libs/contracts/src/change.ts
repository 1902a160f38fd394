import { createHash } from 'node:crypto';
import { type Static, Type } from '@sinclair/typebox';
import canonicalize from 'canonicalize';
import { type SelectableEndpoint, Selector } from './selector.js';
import {
  BusinessImpact,
  Count,
  Digest,
  Environment,
  Exposure,
  Id,
  literals,
  Text,
} from './vocabulary.js';

/** Endpoints in flight at once: a number, or percent of the ring, at least 1. */
export const Cap = Type.Object(
  {
    unit: literals(['endpoints', 'percent']),
    value: Type.Integer({ minimum: 1, maximum: 100_000 }),
  },
  { additionalProperties: false },
);

export const Ring = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z][a-z0-9-]{0,39}$' }),
    /** The first ring whose selector matches takes the endpoint. */
    selector: Selector,
    cap: Cap,
    gate: Type.Object(
      {
        /** The ring passes when at least this share of it is verified. */
        successPercentMin: Type.Integer({ minimum: 0, maximum: 100 }),
        /** The rollout halts as soon as more than this many have failed. */
        failuresMax: Count,
      },
      { additionalProperties: false },
    ),
    bakeMs: Type.Integer({ minimum: 0, maximum: 2_592_000_000 }),
    /** From the opening of the ring; who has not reported by then has timed out, which is a failure. */
    deadlineMs: Type.Integer({ minimum: 1_000, maximum: 2_592_000_000 }),
  },
  { additionalProperties: false },
);
export type Ring = Static<typeof Ring>;

/** How an approved change is rolled out. Part of what is approved, and carried by value. */
export const Plan = Type.Object(
  {
    templateId: Id,
    templateRevision: Count,
    name: Text,
    rings: Type.Array(Ring, { minItems: 1, maxItems: 15 }),
    /** From the lease to the report; silence past it is a failure. */
    leaseMs: Type.Integer({ minimum: 1_000, maximum: 86_400_000 }),
    retry: Type.Object(
      {
        /** Attempts at one endpoint after transient failures, the first included. */
        attemptsMax: Type.Integer({ minimum: 1, maximum: 10 }),
        backoffMs: Type.Integer({ minimum: 0, maximum: 86_400_000 }),
      },
      { additionalProperties: false },
    ),
    /** `automatic`: a halt by a gate restores the prior versions on every endpoint it changed. */
    rollback: literals(['automatic', 'manual']),
  },
  { additionalProperties: false },
);
export type Plan = Static<typeof Plan>;

export const PatchRef = Type.Object(
  { patchId: Id, revision: Type.Integer({ minimum: 1 }), contentDigest: Digest },
  { additionalProperties: false },
);
export type PatchRef = Static<typeof PatchRef>;

/** What endpoints in scope were like when approval was asked for; no others were judged. */
export const Reach = Type.Object(
  {
    departments: Type.Array(Text, { minItems: 1, maxItems: 10_000 }),
    environments: Type.Array(Environment, { minItems: 1 }),
    businessImpacts: Type.Array(BusinessImpact, { minItems: 1 }),
    exposures: Type.Array(Exposure, { minItems: 1 }),
  },
  { additionalProperties: false },
);
export type Reach = Static<typeof Reach>;

/** Whether those who approved had such an endpoint before them. */
export function isWithin(
  { attributes }: SelectableEndpoint,
  { departments, environments, businessImpacts, exposures }: Reach,
): boolean {
  return (
    departments.includes(attributes.department) &&
    environments.includes(attributes.environment) &&
    businessImpacts.includes(attributes.businessImpact) &&
    exposures.includes(attributes.exposure)
  );
}

/** What every vote and every authorization is bound to. */
export const Change = Type.Object(
  {
    patches: Type.Array(PatchRef, { minItems: 1, maxItems: 100 }),
    scope: Selector,
    plan: Plan,
    /** Of the scope, only endpoints within it take part; changes from before it was kept have none. */
    reach: Type.Optional(Reach),
  },
  { additionalProperties: false },
);
export type Change = Static<typeof Change>;

/** `sha256:` and the hex SHA-256 of the canonical JSON (RFC 8785) of any JSON value. */
export function digestOf(value: unknown): string {
  const canonical = canonicalize(value);
  if (canonical === undefined) throw new TypeError('Only JSON values have a digest.');
  return `sha256:${createHash('sha256').update(canonical).digest('hex')}`;
}
