export {
  type EndpointCredential,
  type EndpointCredentials,
  endpointSecretDigest,
  formatEndpointCredential,
  newEndpointSecret,
  parseEndpointCredential,
} from './endpoint-credential.js';
export {
  createLocalIssuer,
  LOCAL_AUDIENCE,
  LOCAL_ISSUER,
  type LocalIssuer,
  TOKEN_TTL_SECONDS_MAX,
  type TokenRequest,
} from './local-issuer.js';
export {
  coversDepartment,
  type EndpointPrincipal,
  isRole,
  type Person,
  type Principal,
  type Role,
  ROLES,
} from './principals.js';
export { KeysUnavailable, TokenRefused } from './token-refused.js';
export {
  createTokenVerifier,
  type TokenVerifierOptions,
  type VerifyToken,
} from './token-verifier.js';
