export {
  type EndpointCredential,
  type EndpointCredentials,
  endpointSecretDigest,
  formatEndpointCredential,
  newEndpointSecret,
  parseEndpointCredential,
} from './endpoint-credential.js';
export { createLocalIssuer, type LocalIssuer, type TokenRequest } from './local-issuer.js';
export {
  coversDepartment,
  type EndpointPrincipal,
  type Person,
  type Principal,
  type Role,
  ROLES,
  visibleDepartments,
} from './principals.js';
export { KeysUnavailable, TokenRefused } from './token-refused.js';
export {
  createTokenVerifier,
  type TokenVerifierOptions,
  type VerifyToken,
} from './token-verifier.js';
