/** What a refusal of the domain is when nothing else is said: the state does not allow it. */
const CONFLICT = 409;

/** The codes whose status does not follow from their name. */
const STATUSES: ReadonlyMap<string, number> = new Map([
  ['invalid-request', 400],
  ['malformed-request', 400],
  ['idempotency-key-required', 400],
  ['invalid-idempotency-key', 400],
  ['invalid-if-match', 400],
  ['invalid-page-token', 400],
  ['unauthenticated', 401],
  ['forbidden', 403],
  ['self-approval', 403],
  ['not-in-scope', 403],
  ['not-eligible', 403],
  ['lease-of-another-endpoint', 403],
  ['unknown-enrolment-token', 403],
  ['enrolment-token-expired', 403],
  ['not-found', 404],
  ['unknown-route', 404],
  ['unknown-rollout', 404],
  ['unknown-lease', 404],
  ['not-requested', 404],
  ['not-defined', 404],
  ['not-proposed', 404],
  ['method-not-allowed', 405],
  ['stale-revision', 412],
  ['body-too-large', 413],
  ['append-too-large', 413],
  ['uri-too-long', 414],
  ['unsupported-media-type', 415],
  ['contract-violation', 422],
  ['digest-mismatch', 422],
  ['change-too-large', 422],
  ['idempotency-key-reused', 422],
  ['outcome-not-of-kind', 422],
  ['precondition-required', 428],
  ['unexpected', 500],
  ['busy', 503],
  ['keys-unavailable', 503],
  ['unavailable', 503],
]);

/** What was sent can never be done, whatever the state: it refers to nothing, or breaks a rule. */
const UNPROCESSABLE = /^(invalid|malformed|unknown)-/;

/** The HTTP status of a problem or domain error code. */
export function statusOf(code: string): number {
  return STATUSES.get(code) ?? (UNPROCESSABLE.test(code) ? 422 : CONFLICT);
}

/** `self-approval` as `Self approval`. */
export function titleOf(code: string): string {
  const words = code.replaceAll('-', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const TRANSPORT_CODES: ReadonlyMap<number, string> = new Map([
  [400, 'malformed-request'],
  [404, 'unknown-route'],
  [405, 'method-not-allowed'],
  [413, 'body-too-large'],
  [414, 'uri-too-long'],
  [415, 'unsupported-media-type'],
  [503, 'unavailable'],
]);

/** The code for what the HTTP layer itself refused with a status below 500, or 503. */
export function transportCodeOf(status: number): string | undefined {
  return TRANSPORT_CODES.get(status);
}
