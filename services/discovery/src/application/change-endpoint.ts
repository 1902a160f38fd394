import { digestOf, discovery } from '@patchtrail/contracts';
import { DomainError } from '@patchtrail/event-sourcing';
import {
  assertAttributes,
  type AssignedAttributes,
  withChanges,
} from '../domain/endpoint-attributes.js';
import { assertActive } from '../domain/enrolment.js';
import type { Endpoint, Tx } from './ports.js';

export type AttributeChanges = Readonly<{
  [K in keyof AssignedAttributes]?: AssignedAttributes[K] | undefined;
}>;

/** The new revision; unchanged attributes keep theirs. `null` if there is no such endpoint. */
export async function changeAttributes(
  tx: Tx,
  endpointId: string,
  expected: number | '*',
  changes: AttributeChanges,
): Promise<number | null> {
  const endpoint = await tx.endpoints.lock(endpointId);
  if (endpoint === null) return null;
  assertRevision(endpoint, expected);
  assertActive(endpoint.lifecycle);
  const attributes = withChanges(endpoint.attributes, changes);
  assertAttributes(attributes);
  if (digestOf(attributes) === digestOf(endpoint.attributes)) return endpoint.revision;
  await tx.endpoints.setAttributes(endpointId, attributes);
  const subject = { kind: 'endpoint', id: endpointId };
  await tx.publish(discovery.EndpointAttributesChanged, subject, { endpointId, attributes });
  return endpoint.revision + 1;
}

/** @throws DomainError `stale-revision` */
function assertRevision({ revision }: Endpoint, expected: number | '*'): void {
  if (expected === '*' || expected === revision) return;
  throw new DomainError('stale-revision', `the endpoint is at revision ${revision}`);
}

/** False if there is no such endpoint. Its credential is void from here on. */
export async function retireEndpoint(
  tx: Tx,
  endpointId: string,
  expected: number | '*',
  reason: string,
): Promise<boolean> {
  const endpoint = await tx.endpoints.lock(endpointId);
  if (endpoint === null) return false;
  assertRevision(endpoint, expected);
  assertActive(endpoint.lifecycle);
  await tx.endpoints.retire(endpointId, reason);
  const subject = { kind: 'endpoint', id: endpointId };
  await tx.publish(discovery.EndpointRetired, subject, { endpointId, reason });
  return true;
}
