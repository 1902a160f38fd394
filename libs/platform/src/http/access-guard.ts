import { timingSafeEqual } from 'node:crypto';
import {
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  Optional,
  type Provider,
} from '@nestjs/common';
import {
  type EndpointCredentials,
  parseEndpointCredential,
  type Person,
  type Principal,
  TokenRefused,
  type VerifyToken,
} from '@patchtrail/auth';
import type { FastifyRequest } from 'fastify';
import { invalidField, type Problem, problem } from './problem.js';
import { asOfIn } from './request-parts.js';
import { stateOf } from './request-state.js';
import { type Access, accessesOf, partsOf } from './route-facts.js';
import { checkedParameters, prototypeOf } from './routes.js';

export const VERIFY_TOKEN = Symbol('VERIFY_TOKEN');
export const ENDPOINT_CREDENTIALS = Symbol('ENDPOINT_CREDENTIALS');

export type AccessOptions = Readonly<{
  verifyToken: VerifyToken;
  /** Only for a module with routes for endpoints. */
  credentials?: EndpointCredentials;
}>;

/** What a module with `@Api` controllers provides. */
export function accessProviders({ verifyToken, credentials }: AccessOptions): Provider[] {
  return [
    { provide: VERIFY_TOKEN, useValue: verifyToken },
    ...(credentials === undefined
      ? []
      : [{ provide: ENDPOINT_CREDENTIALS, useValue: credentials }]),
  ];
}

/** Default deny: a route that says nothing is open to nobody. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    @Inject(VERIFY_TOKEN) private readonly verifyToken: VerifyToken,
    @Optional()
    @Inject(ENDPOINT_CREDENTIALS)
    private readonly credentials?: EndpointCredentials,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const [access, ...others] = accessesOf(context.getHandler());
    if (access === undefined || others.length > 0) {
      throw problem('forbidden', 'The route does not say who may call it.');
    }
    if (access.for !== 'anyone') {
      const principal = await this.authenticate(request.headers.authorization);
      authorize(principal, access);
      stateOf(request).principal = principal;
    }
    refuseUnservedQuery(request, context);
    return true;
  }

  private async authenticate(authorization: string | undefined): Promise<Principal> {
    if (authorization === undefined) throw unauthenticated('A bearer token is required');
    const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    if (token === undefined) throw unauthenticated('Authorization must be Bearer and one token');
    return token.startsWith('ptep_') ? this.endpointOf(token) : this.personOf(token);
  }

  private async endpointOf(token: string): Promise<Principal> {
    const presented = parseEndpointCredential(token);
    const refused = unauthenticated('The endpoint credential is not valid here');
    if (presented === null || this.credentials === undefined) throw refused;
    const known = await this.credentials.digestOf(presented.endpointId);
    if (known === null || !sameText(known, presented.secretDigest)) throw refused;
    return { kind: 'endpoint', id: presented.endpointId };
  }

  private async personOf(token: string): Promise<Person> {
    try {
      return await this.verifyToken(token);
    } catch (error) {
      if (error instanceof TokenRefused) throw unauthenticated(`${error.claim} ${error.rule}`);
      throw error;
    }
  }
}

function unauthenticated(reason: string): Problem {
  return problem('unauthenticated', `${reason}.`);
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function authorize(principal: Principal, access: Access): void {
  if (access.for === 'endpoints') {
    if (principal.kind !== 'endpoint') throw problem('forbidden', 'Only an endpoint may do this.');
    return;
  }
  const roles = access.for === 'people' ? access.roles : [];
  const granted =
    principal.kind === 'person' && roles.some((role) => principal.roles.includes(role));
  if (!granted) throw problem('forbidden', `This needs the role ${roles.join(' or ')}.`);
}

/** Whoever asks for the past, or for a part, and got everything there is now would not know. */
function refuseUnservedQuery(request: FastifyRequest, context: ExecutionContext): void {
  const [controller, { name }] = [context.getClass(), context.getHandler()];
  const servesAsOf = partsOf(prototypeOf(controller), name).has('as-of');
  if (asOfIn(request) !== undefined && !servesAsOf) {
    throw invalidField('as_of', 'is not served by this route');
  }
  if (checkedParameters(controller, name).some(({ part }) => part === 'query')) return;
  const { query } = request;
  const fields = typeof query === 'object' && query !== null ? Object.keys(query) : [];
  const unknown = fields.find((field) => field !== 'as_of');
  if (unknown !== undefined) throw invalidField(unknown, 'is not a known field');
}

/** 403 unless the principal is the endpoint that the path names. */
export function ownEndpoint(principal: Principal, endpointId: string): void {
  if (principal.kind !== 'endpoint' || principal.id !== endpointId) {
    throw problem('forbidden', 'An endpoint may speak only for itself.');
  }
}

/** The person behind a route for people. @throws Problem 403 for an endpoint */
export function personOf(principal: Principal): Person {
  if (principal.kind === 'person') return principal;
  throw problem('forbidden', 'Only a person may do this.');
}
