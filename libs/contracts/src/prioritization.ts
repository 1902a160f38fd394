import { type Static, Type } from '@sinclair/typebox';
import { defineEvent } from './define-event.js';
import {
  BusinessImpact,
  Category,
  Exposure,
  Id,
  Instant,
  literals,
  nullable,
  Response,
} from './vocabulary.js';

export const DECISIONS_TOPIC = 'prioritization.decisions.v1';

/** A value somebody supplied, or `null` for unknown. */
export const DecisionInput = Type.Object({
  name: literals([
    'in-kev',
    'publicly-exposed',
    'automatable',
    'technical-impact-total',
    'has-cve',
    'security-origin',
  ]),
  value: nullable(Type.Boolean()),
  /** Who supplied it, or why it is unknown. */
  source: Type.String(),
  at: nullable(Instant),
});

export const PriorityDecision = Type.Object({
  decisionId: Id,
  patchId: Id,
  patchRevision: Type.Integer({ minimum: 1 }),
  /** The asset context it holds for. */
  exposure: Exposure,
  businessImpact: BusinessImpact,
  category: Category,
  /** True while unknown inputs could still change the category or the due date. */
  provisional: Type.Boolean(),
  response: Response,
  /** Strictest of the rows still possible; `null`: at the next system upgrade. */
  dueAt: nullable(Instant),
  pack: Type.Object({ name: Type.String(), version: Type.String() }),
  /**
   * Rows of the pack that the known inputs leave possible, strictest first; it gave the due date.
   * Empty where the patch is known to fix no vulnerability: the pack then has no say.
   */
  rows: Type.Array(
    Type.Object({
      row: Type.Integer({ minimum: 0 }),
      outcome: Type.String(),
      days: nullable(Type.Integer({ minimum: 0 })),
    }),
  ),
  inputs: Type.Array(DecisionInput),
  decidedAt: Instant,
});
export type PriorityDecision = Static<typeof PriorityDecision>;

/** Key: patchId. */
export const PatchPrioritized = defineEvent(
  'prioritization',
  DECISIONS_TOPIC,
  'PatchPrioritized',
  PriorityDecision,
);
/** Key: patchId. An input changed and with it the decision. */
export const PatchReprioritized = defineEvent(
  'prioritization',
  DECISIONS_TOPIC,
  'PatchReprioritized',
  PriorityDecision,
);
