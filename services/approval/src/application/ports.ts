import type {
  BusinessImpact,
  Category,
  EndpointAttributes,
  Exposure,
  GroupSelectors,
} from '@patchtrail/contracts';
import type { Stream } from '@patchtrail/event-store';
import type {
  ApprovalPolicy,
  ApprovalPolicyCommand,
  ApprovalPolicyEvent,
} from '../domain/approval-policy.js';
import type {
  ApprovalRequest,
  ApprovalRequestCommand,
  ApprovalRequestEvent,
} from '../domain/approval-request.js';
import type {
  PlanTemplate,
  PlanTemplateCommand,
  PlanTemplateEvent,
} from '../domain/plan-template.js';

/** A patch as discovery last described it. */
export type KnownPatch = Readonly<{
  patchId: string;
  revision: number;
  contentDigest: string;
  status: 'available' | 'superseded' | 'withdrawn';
  vendor: string;
  sourcePackage: string;
  suite: string;
  securityOrigin: boolean;
  cveCount: number;
}>;

/** An endpoint that misses, or failed to install, some of the patches asked for. */
export type TouchedEndpoint = Readonly<{
  endpointId: string;
  attributes: EndpointAttributes;
  patchIds: readonly string[];
}>;

/** What prioritization decided for a patch in one asset context. */
export type KnownDecision = Readonly<{
  decisionId: string;
  patchId: string;
  patchRevision: number;
  exposure: Exposure;
  businessImpact: BusinessImpact;
  category: Category;
  provisional: boolean;
  dueAt: string | null;
}>;

/** This service's own view of patches, endpoints and priorities, built from integration events. */
export type Fleet = Readonly<{
  patches: (patchIds: readonly string[]) => Promise<readonly KnownPatch[]>;
  /** Page by page, in the order of their ids; retired endpoints are left out. */
  touched: (patchIds: readonly string[]) => AsyncIterable<TouchedEndpoint>;
  decisions: (patchIds: readonly string[]) => Promise<readonly KnownDecision[]>;
  groups: () => Promise<GroupSelectors>;
}>;

/** The id of the policy that was activated last, or `null` while there is none. */
export type ActivePolicy = () => Promise<string | null>;

export type RequestStream = Stream<ApprovalRequest, ApprovalRequestCommand, ApprovalRequestEvent>;
export type PolicyStream = Stream<ApprovalPolicy, ApprovalPolicyCommand, ApprovalPolicyEvent>;
export type TemplateStream = Stream<PlanTemplate, PlanTemplateCommand, PlanTemplateEvent>;

export const requestStreamOf = (requestId: string) => `approvalRequest-${requestId}`;
export const policyStreamOf = (policyId: string) => `approvalPolicy-${policyId}`;
export const templateStreamOf = (templateId: string) => `planTemplate-${templateId}`;
