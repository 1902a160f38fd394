import { DomainError } from '@patchtrail/event-sourcing';

/** A one-time token, of which only a digest is kept. Instants are RFC 3339 in UTC. */
export type EnrolmentToken = Readonly<{
  expiresAt: string;
  /** Who used it, with which credential. */
  usedBy: Readonly<{ endpointId: string; credentialDigest: string }> | null;
}>;

/**
 * The endpoint that the same token and credential enrolled before, or `null` if the token is unused.
 * @throws DomainError `unknown-enrolment-token`, `enrolment-token-used`, `enrolment-token-expired`
 */
export function redeem(
  token: EnrolmentToken | null,
  credentialDigest: string,
  now: string,
): string | null {
  if (token === null) throw new DomainError('unknown-enrolment-token', 'token: is not known');
  if (token.usedBy !== null) {
    if (token.usedBy.credentialDigest === credentialDigest) return token.usedBy.endpointId;
    throw new DomainError('enrolment-token-used', 'token: enrolled another credential before');
  }
  if (Date.parse(token.expiresAt) <= Date.parse(now)) {
    throw new DomainError('enrolment-token-expired', `token: expired at ${token.expiresAt}`);
  }
  return null;
}

export type Lifecycle = 'active' | 'retired';

/** @throws DomainError `endpoint-retired` */
export function assertActive(lifecycle: Lifecycle): void {
  if (lifecycle === 'retired') {
    throw new DomainError('endpoint-retired', 'the endpoint is retired and takes no changes');
  }
}
