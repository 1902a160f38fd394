import { createHash, randomBytes } from 'node:crypto';

/** What the server keeps of an agent's secret: `sha256:<hex>`. */
export type EndpointCredential = Readonly<{ endpointId: string; secretDigest: string }>;

/** Answers the digest that a known, active endpoint was enrolled with; `null` for any other. */
export type EndpointCredentials = Readonly<{
  digestOf: (endpointId: string) => Promise<string | null>;
}>;

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const SECRET = /^[A-Za-z0-9_-]{43}$/;
const CREDENTIAL = new RegExp(`^ptep_(${UUID})_([A-Za-z0-9_-]{43})$`);

/** 256 random bits as 43 characters of base64url; the agent makes it, and never sends it bare. */
export function newEndpointSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** `sha256:<hex>` of a secret: what enrolment sends and the server keeps. */
export function endpointSecretDigest(secret: string): string {
  return `sha256:${createHash('sha256').update(secret).digest('hex')}`;
}

/** The bearer text `ptep_<endpointId>_<secret>`. @throws Error when either part is malformed */
export function formatEndpointCredential(endpointId: string, secret: string): string {
  const text = `ptep_${endpointId}_${secret}`;
  if (!SECRET.test(secret) || !CREDENTIAL.test(text)) {
    throw new Error('endpoint credential: needs a lower-case UUID and a secret of 43 characters');
  }
  return text;
}

/** The endpoint and the digest of its secret, or `null` for anything malformed. */
export function parseEndpointCredential(text: string): EndpointCredential | null {
  const [, endpointId, secret] = CREDENTIAL.exec(text) ?? [];
  if (endpointId === undefined || secret === undefined) return null;
  return { endpointId, secretDigest: endpointSecretDigest(secret) };
}
