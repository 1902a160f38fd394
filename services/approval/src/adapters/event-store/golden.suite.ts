import {
  type CommandContext,
  createMemoryEventStore,
  type EventStore,
  handle,
  type StoredEvent,
} from '@patchtrail/event-store';
import { goldenKind } from '@patchtrail/event-store/golden';
import type { ApprovalRequestCommand } from '../../domain/approval-request.js';
import { BUILT_IN_POLICY } from '../../domain/default-policy.js';
import {
  at,
  change,
  command,
  decision,
  expiresAt,
  opening,
} from '../../domain/example-request.suite.js';
import { POLICY_PREFIX, REQUEST_PREFIX, streamsOf, TEMPLATE_PREFIX } from './streams.js';

/** What the golden streams of this service are made of, and what each of them is about. */

export const GOLDEN = new URL('./golden/', import.meta.url);

const kinds = streamsOf(createMemoryEventStore());
export const goldenKinds = [
  goldenKind('approvalRequest', kinds.requests),
  goldenKind('approvalPolicy', kinds.policies),
  goldenKind('planTemplate', kinds.templates),
];

const ID = '3f1c8f0a-7b1d-4f4e-9a0e-5d0c1b2a3f0';
const RECORDED_AT = new Date('2026-11-21T09:00:00.123Z');

const context = (number: number, actor: string, occurredAt: string): CommandContext => {
  const commandId = `8a6e0d3c-1f2b-4c5d-8e7f-${String(number).padStart(12, '0')}`;
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  return {
    ...{ commandId, correlationId: commandId, causationId: commandId },
    ...{ actor, at: occurredAt, traceparent },
  };
};

async function requested(store: EventStore, id: string, then: readonly ApprovalRequestCommand[]) {
  const { requests } = streamsOf(store);
  for (const [index, one] of [command('OpenRequest', opening), ...then].entries()) {
    const actor = 'by' in one.data ? one.data.by : index === 0 ? opening.requestedBy : 'approval';
    await handle(requests, `${REQUEST_PREFIX}${id}`, one, context(index + 1, actor, one.data.at));
  }
}

const approve = (by: string) => command('RecordDecision', decision(by));
const scenarios: Readonly<Record<string, (store: EventStore) => Promise<void>>> = {
  granted: (store) => requested(store, `${ID}1`, [approve('ana'), approve('bo')]),
  rejected: (store) =>
    requested(store, `${ID}2`, [
      command('RecordDecision', decision('ana', { verdict: 'reject', remark: 'too early' })),
    ]),
  withdrawn: (store) =>
    requested(store, `${ID}3`, [
      command('WithdrawRequest', { by: 'pat', reason: 'superseded by another request', at }),
    ]),
  expired: (store) => {
    const { timerId } = opening;
    return requested(store, `${ID}4`, [
      command('ExpireRequest', { timerId, generation: 1, at: expiresAt }),
    ]);
  },
  revised: async (store) => {
    const { templates } = streamsOf(store);
    const { templateId, templateRevision, ...rollout } = change.plan;
    const stream = `${TEMPLATE_PREFIX}${templateId}`;
    const by = { by: 'pat', at };
    const defined = { type: 'DefinePlanTemplate', data: { ...rollout, ...by } } as const;
    await handle(templates, stream, defined, context(1, 'pat', at));
    const bold = { ...rollout, ...by, name: `Bold, after revision ${String(templateRevision)}` };
    const revised = { type: 'RevisePlanTemplate', data: bold } as const;
    await handle(templates, stream, revised, context(2, 'pat', at));
  },
  activated: async (store) => {
    const { policies } = streamsOf(store);
    const stream = `${POLICY_PREFIX}${ID}6`;
    const proposed = {
      type: 'ProposePolicy',
      data: { ...BUILT_IN_POLICY, by: 'pat', at },
    } as const;
    await handle(policies, stream, proposed, context(1, 'pat', at));
    const activated = { type: 'ActivatePolicy', data: { by: 'ana', at } } as const;
    await handle(policies, stream, activated, context(2, 'ana', at));
  },
};
export const SCENARIOS = Object.keys(scenarios);

/** What the deciders of today make of a scenario. */
export async function runScenario(name: string): Promise<readonly StoredEvent[]> {
  const store = createMemoryEventStore({ now: () => RECORDED_AT });
  await scenarios[name]?.(store);
  return (await store.readAll()).events;
}
