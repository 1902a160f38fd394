import { discovery, type EndpointAttributes } from '@patchtrail/contracts';
import {
  assertAttributes,
  assertReported,
  type AssignedAttributes,
  type ReportedAttributes,
} from '../domain/endpoint-attributes.js';
import { redeem } from '../domain/enrolment.js';
import type { Tx } from './ports.js';

/** Keeps a token that enrols one endpoint with these attributes. @throws DomainError */
export async function issueEnrolmentToken(
  tx: Tx,
  token: Readonly<{
    tokenId: string;
    tokenDigest: string;
    attributes: AssignedAttributes;
    expiresAt: string;
  }>,
): Promise<void> {
  assertAttributes(token.attributes);
  await tx.endpoints.addToken(token);
}

export type Enrolment = ReportedAttributes &
  Readonly<{
    tokenDigest: string;
    credentialDigest: string;
    agentVersion: string;
    /** Used unless the token enrolled before. */
    endpointId: string;
    at: string;
  }>;

/** The id of the endpoint; the same for the same token and credential. @throws DomainError */
export async function enrolEndpoint(tx: Tx, enrolment: Enrolment): Promise<string> {
  const { tokenDigest, credentialDigest, endpointId, at } = enrolment;
  const token = await tx.endpoints.lockToken(tokenDigest);
  const before = redeem(token, credentialDigest, at);
  if (before !== null || token === null) return before ?? endpointId;
  assertReported(enrolment);
  const { hostname, platform, hardwareModel, agentVersion } = enrolment;
  const attributes: EndpointAttributes = {
    ...token.attributes,
    labels: { ...token.attributes.labels },
    ...{ hostname, platform, hardwareModel },
  };
  await tx.endpoints.add(
    {
      endpointId,
      revision: 1,
      lifecycle: 'active',
      attributes,
      agentVersion,
      enrolledAt: at,
      lastSeenAt: null,
      staleSince: null,
    },
    credentialDigest,
  );
  await tx.endpoints.useToken(token.tokenId, endpointId, credentialDigest);
  const enrolled = { endpointId, attributes, credentialDigest };
  await tx.publish(discovery.EndpointEnrolled, { kind: 'endpoint', id: endpointId }, enrolled);
  return endpointId;
}
