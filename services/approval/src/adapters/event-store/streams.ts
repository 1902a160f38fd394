import { createStateCache, type EventStore } from '@patchtrail/event-store';
import {
  policyStreamOf,
  type PolicyStream,
  requestStreamOf,
  type RequestStream,
  templateStreamOf,
  type TemplateStream,
} from '../../application/ports.js';
import { approvalPolicy } from '../../domain/approval-policy.js';
import { approvalRequest } from '../../domain/approval-request.js';
import { planTemplate } from '../../domain/plan-template.js';
import { approvalPolicyCodec } from './approval-policy-codec.js';
import { approvalRequestCodec } from './approval-request-codec.js';
import { planTemplateCodec } from './plan-template-codec.js';

export type Streams = Readonly<{
  requests: RequestStream;
  policies: PolicyStream;
  templates: TemplateStream;
}>;

/** The prefixes of this service's streams. */
export const REQUEST_PREFIX = requestStreamOf('');
export const POLICY_PREFIX = policyStreamOf('');
export const TEMPLATE_PREFIX = templateStreamOf('');

/** With recently folded state at hand unless told otherwise: one per process. */
export function streamsOf(store: EventStore, options: { cached?: boolean } = {}): Streams {
  const requests = { store, decider: approvalRequest, codec: approvalRequestCodec };
  const policies = { store, decider: approvalPolicy, codec: approvalPolicyCodec };
  const templates = { store, decider: planTemplate, codec: planTemplateCodec };
  if (options.cached === false) return { requests, policies, templates };
  return {
    requests: { ...requests, cache: createStateCache() },
    policies: { ...policies, cache: createStateCache() },
    templates: { ...templates, cache: createStateCache() },
  };
}

/** `approvalRequest-<id>` → `<id>` */
export function idIn(stream: string): string {
  return stream.slice(stream.indexOf('-') + 1);
}
