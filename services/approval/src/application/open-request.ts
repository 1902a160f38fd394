import { digestOf, type GroupSelectors } from '@patchtrail/contracts';
import { DomainError } from '@patchtrail/event-sourcing';
import {
  commandIdFrom,
  type CommandContext,
  handle,
  type Handled,
  load,
} from '@patchtrail/event-store';
import type { PolicyContent } from '../domain/approval-policy.js';
import type {
  ApprovalRequest,
  ApprovalRequestCommand,
  ApprovalRequestEvent,
} from '../domain/approval-request.js';
import type { Change, Reach, Selector } from '../domain/change.js';
import { BUILT_IN_POLICY, BUILT_IN_POLICY_ID } from '../domain/default-policy.js';
import { type PolicyFacts, ruleFor } from './evaluate-policy.js';
import {
  type ActivePolicy,
  type Fleet,
  type KnownPatch,
  policyStreamOf,
  type PolicyStream,
  requestStreamOf,
  type RequestStream,
  templateStreamOf,
  type TemplateStream,
} from './ports.js';
import { assess, checkSelector, type Impact, resolvePatches } from './resolve-change.js';

export type OpenRequestPorts = Readonly<{
  requests: RequestStream;
  templates: TemplateStream;
  policies: PolicyStream;
  activePolicy: ActivePolicy;
  fleet: Fleet;
}>;

export type OpenRequestInput = Readonly<{
  patchIds: readonly string[];
  scope: Selector;
  planTemplateId: string;
  remark: string;
  /** That the requester is responsible for; `*`: every department. */
  departments: readonly string[];
}>;

type Opening = Extract<ApprovalRequestCommand, { type: 'OpenRequest' }>['data'];
type Outcome = Handled<ApprovalRequest, ApprovalRequestEvent>;

/** A change stands twice in one append when it is granted at once; both must fit. */
const CHANGE_BYTES_MAX = 256 * 1024;

/**
 * Folds patches, scope and plan into one change, has the policy decide who must agree, and opens
 * the request. The request's id follows from the command's, so that a repetition finds it.
 * @throws DomainError
 */
export async function openRequest(
  ports: OpenRequestPorts,
  input: OpenRequestInput,
  context: CommandContext,
): Promise<Readonly<{ requestId: string; outcome: Outcome }>> {
  const requestId = commandIdFrom('approval-request', context.commandId);
  const name = requestStreamOf(requestId);
  const { state } = await load(ports.requests, name);
  // The fleet may have changed since: a repetition must not be decided on what is true now.
  const data =
    state.status === 'absent' ? await opening(ports, input, context, requestId) : state.opening;
  const outcome = await handle(ports.requests, name, { type: 'OpenRequest', data }, context);
  return { requestId, outcome };
}

async function opening(
  ports: OpenRequestPorts,
  input: OpenRequestInput,
  { actor, at }: CommandContext,
  requestId: string,
): Promise<Opening> {
  const { fleet } = ports;
  const groups = await fleet.groups();
  checkSelector(input.scope, groups, 'scope');
  const patches = await resolvePatches(fleet, input.patchIds);
  const plan = await planFrom(ports.templates, input.planTemplateId, groups);
  const asked: Change = { patches: patches.map(refTo), scope: input.scope, plan };
  checkSize(asked);
  const impact = await assess(fleet, patches, input.scope, groups);
  const change: Change = { ...asked, reach: reachOf(impact) };
  checkSize(change);
  const policy = await policyInForce(ports);
  const facts = factsOf(actor, patches, impact, plan);
  const rule = ruleFor(policy.content, facts);
  if (rule.stages.length === 0) checkReach(input.departments, impact.departments);
  return {
    requestedBy: actor,
    change,
    changeDigest: digestOf(change),
    category: impact.category,
    dueAt: impact.dueAt,
    decisionIds: impact.decisionIds,
    endpointCount: impact.endpointCount,
    departments: impact.departments,
    policy: {
      policyId: policy.policyId,
      revision: policy.revision,
      rule: rule.name,
      reason: rule.reason,
      facts,
    },
    stages: rule.stages,
    remark: input.remark,
    expiresAt: new Date(Date.parse(at) + policy.content.requestTtlMs).toISOString(),
    timerId: commandIdFrom('approval-request-expiry', requestId),
    at,
  };
}

function reachOf({ departments, environments, impacts, exposures }: Impact): Reach {
  return { departments, environments, businessImpacts: impacts, exposures };
}

const refTo = ({ patchId, revision, contentDigest }: KnownPatch) => ({
  patchId,
  revision,
  contentDigest,
});

async function planFrom(
  templates: TemplateStream,
  templateId: string,
  groups: GroupSelectors,
): Promise<Change['plan']> {
  const { state } = await load(templates, templateStreamOf(templateId));
  if (state.status === 'absent') {
    throw new DomainError('unknown-plan-template', 'planTemplateId: must be a known plan template');
  }
  const { name, rings, leaseMs, retry, rollback } = state.definition;
  for (const [index, { selector }] of rings.entries()) {
    checkSelector(selector, groups, `plan.rings[${String(index)}].selector`);
  }
  const template = { templateId, templateRevision: state.revision };
  return { ...template, name, rings, leaseMs, retry, rollback };
}

function checkSize(change: Change): void {
  const bytes = Buffer.byteLength(JSON.stringify(change));
  if (bytes <= CHANGE_BYTES_MAX) return;
  throw new DomainError(
    'change-too-large',
    `scope: the change must be at most ${String(CHANGE_BYTES_MAX)} bytes, it is ${String(bytes)}; select by attributes or groups`,
  );
}

/** Where nobody is asked, nobody but the requester answers for the endpoints. */
function checkReach(responsible: readonly string[], reached: readonly string[]): void {
  if (responsible.includes('*')) return;
  const outside = reached.find((department) => !responsible.includes(department));
  if (outside === undefined) return;
  throw new DomainError(
    'not-in-scope',
    `scope: reaches ${outside}, and the policy asks nobody who is responsible for it`,
  );
}

async function policyInForce({
  policies,
  activePolicy,
}: OpenRequestPorts): Promise<{ policyId: string; revision: number; content: PolicyContent }> {
  const policyId = await activePolicy();
  if (policyId === null) {
    return { policyId: BUILT_IN_POLICY_ID, revision: 0, content: BUILT_IN_POLICY };
  }
  const { state, revision } = await load(policies, policyStreamOf(policyId));
  if (state.status !== 'activated') throw new Error(`Policy ${policyId} is not activated.`);
  return { policyId, revision, content: state.proposal };
}

function factsOf(
  requestedBy: string,
  patches: readonly KnownPatch[],
  { category, provisional, ...impact }: Impact,
  { name, rings, rollback }: Change['plan'],
): PolicyFacts {
  const { departments, exposures, impacts, environments, endpointCount } = impact;
  return {
    request: { requestedBy, category, provisional, patchCount: patches.length },
    patches: patches.map(({ vendor, sourcePackage, suite, securityOrigin, cveCount }) => ({
      vendor,
      sourcePackage,
      suite,
      securityOrigin,
      cveCount,
    })),
    scope: { departments, exposures, impacts, environments, endpointCount },
    plan: { name, ringCount: rings.length, rollback },
  };
}
