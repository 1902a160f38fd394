/** Why a token is not accepted: the claim (or header) and its rule, never the token itself. */
export class TokenRefused extends Error {
  constructor(
    readonly claim: string,
    readonly rule: string,
  ) {
    super(`${claim}: ${rule}`);
    this.name = 'TokenRefused';
  }
}

/** The keys could not be read: the server's fault, not the caller's. */
export class KeysUnavailable extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(`token keys: ${reason}`, options);
    this.name = 'KeysUnavailable';
  }
}
