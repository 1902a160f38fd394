import { type Decider, DomainError, type Message } from '@patchtrail/event-sourcing';
import type { Ring, Rollout } from './change.js';

type Definition = Rollout & Readonly<{ by: string; at: string }>;

export type PlanTemplateCommand =
  Message<'DefinePlanTemplate', Definition> | Message<'RevisePlanTemplate', Definition>;
export type PlanTemplateEvent =
  Message<'PlanTemplateDefined', Definition> | Message<'PlanTemplateRevised', Definition>;
export type PlanTemplate =
  | Readonly<{ status: 'absent' }>
  /** `revision` counts from 0, as the stream does. */
  | Readonly<{ status: 'defined'; revision: number; definition: Definition }>;

const RINGS_MAX = 15;
const DAY_MS = 86_400_000;
const MONTH_MS = 30 * DAY_MS;

function decide(
  { type, data }: PlanTemplateCommand,
  state: PlanTemplate,
): readonly PlanTemplateEvent[] {
  const fault = planFault(data);
  if (fault !== null) throw new DomainError('invalid-plan', fault);
  switch (type) {
    case 'DefinePlanTemplate':
      if (state.status !== 'absent') throw new DomainError('already-defined');
      return [{ type: 'PlanTemplateDefined', data }];
    case 'RevisePlanTemplate':
      if (state.status === 'absent') throw new DomainError('not-defined');
      return [{ type: 'PlanTemplateRevised', data }];
  }
}

function evolve(state: PlanTemplate, { type, data }: PlanTemplateEvent): PlanTemplate {
  switch (type) {
    case 'PlanTemplateDefined':
      return { status: 'defined', revision: 0, definition: data };
    case 'PlanTemplateRevised':
      if (state.status === 'absent') throw new Error(`Corrupt stream: it opens with ${type}.`);
      return { status: 'defined', revision: state.revision + 1, definition: data };
  }
}

/** Field, rule and what is wrong if the value breaks it. */
type Limit = readonly [field: string, value: number, min: number, max: number];

/** The first fault of a plan as `field: rule`, or `null`. */
function planFault({ name, rings, leaseMs, retry }: Rollout): string | null {
  if (name.trim() === '') return 'name: must not be empty';
  if (rings.length < 1 || rings.length > RINGS_MAX) {
    return `rings: must be 1 to ${String(RINGS_MAX)} rings`;
  }
  return (
    limitFault([
      ['leaseMs', leaseMs, 1_000, DAY_MS],
      ['retry.attemptsMax', retry.attemptsMax, 1, 10],
      ['retry.backoffMs', retry.backoffMs, 0, DAY_MS],
    ]) ??
    firstOf(rings, (ring, index) => ringFault(ring, `rings[${String(index)}]`)) ??
    firstOf(rings, (ring, index) => orderFault(rings, ring, index))
  );
}

function firstOf<T>(items: readonly T[], fault: (item: T, index: number) => string | null) {
  for (const [index, item] of items.entries()) {
    const found = fault(item, index);
    if (found !== null) return found;
  }
  return null;
}

function limitFault(limits: readonly Limit[]): string | null {
  return firstOf(limits, ([field, value, min, max]) =>
    Number.isInteger(value) && value >= min && value <= max
      ? null
      : `${field}: must be a whole number from ${String(min)} to ${String(max)}`,
  );
}

function ringFault({ name, cap, gate, bakeMs, deadlineMs }: Ring, at: string): string | null {
  if (!/^[a-z][a-z0-9-]{0,39}$/.test(name)) {
    return `${at}.name: must be 1 to 40 lower-case letters, digits and dashes, a letter first`;
  }
  return limitFault([
    [`${at}.cap.value`, cap.value, 1, cap.unit === 'percent' ? 100 : 100_000],
    [`${at}.gate.successPercentMin`, gate.successPercentMin, 0, 100],
    [`${at}.gate.failuresMax`, gate.failuresMax, 0, 1_000_000],
    [`${at}.bakeMs`, bakeMs, 0, MONTH_MS],
    [`${at}.deadlineMs`, deadlineMs, 1_000, MONTH_MS],
  ]);
}

function orderFault(rings: readonly Ring[], { name, selector }: Ring, index: number) {
  const at = `rings[${String(index)}]`;
  if (rings.findIndex((ring) => ring.name === name) !== index) return `${at}.name: must be unique`;
  const isLast = index === rings.length - 1;
  const catchesAll =
    selector.endpointIds === undefined &&
    selector.groupIds === undefined &&
    Object.keys(selector.attributes ?? {}).length === 0;
  return catchesAll && !isLast
    ? `${at}.selector: must not match every endpoint, for the rings after it would stay empty`
    : null;
}

export const planTemplate: Decider<PlanTemplate, PlanTemplateCommand, PlanTemplateEvent> = {
  initial: { status: 'absent' },
  decide,
  evolve,
};
