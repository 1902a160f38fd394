import {
  createParamDecorator,
  type ExecutionContext,
  Param,
  type PipeTransform,
  Res,
} from '@nestjs/common';
import type { Principal } from '@patchtrail/auth';
import { digestOf } from '@patchtrail/contracts';
import { commandIdFrom, type CommandContext } from '@patchtrail/event-store';
import type { FastifyRequest } from 'fastify';
import { v7 as uuidv7 } from 'uuid';
import { parseInstant } from '../instant.js';
import { UUID } from './fields.js';
import { invalidField, problem } from './problem.js';
import { type RequestState, stateOf } from './request-state.js';
import { plainRoutePath } from './route-paths.js';
import { notePart, type RoutePart } from './route-facts.js';

/** A key is bound to what was asked with it, within its scope. */
export type Idempotency = Readonly<{ scope: string; key: string; payloadDigest: string }>;

export type CommandInput = Readonly<{
  context: CommandContext;
  /** `null` for PUT and PATCH, which are idempotent by nature. */
  idempotency: Idempotency | null;
}>;

const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,200}$/;
const ETAG = /^"(0|[1-9]\d{0,15})"$/;

function requestOf(context: ExecutionContext): FastifyRequest {
  return context.switchToHttp().getRequest<FastifyRequest>();
}

function noting(part: RoutePart): ParameterDecorator {
  return (target, method) => {
    if (method !== undefined) notePart(target, method, part);
  };
}

/** The verified principal. Only on routes that check for one. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const { principal } = stateOf(requestOf(context));
  if (principal === null) throw new Error('A route for anyone has no caller.');
  return principal;
});

/** `CommandInput`: who asks, when, in which trace, and under which idempotency key. */
export const Command = createParamDecorator(
  (_: unknown, context: ExecutionContext): CommandInput => {
    const request = requestOf(context);
    const state = stateOf(request);
    const idempotency = request.method === 'POST' ? idempotencyOf(request, state) : null;
    const commandId =
      idempotency === null ? uuidv7() : commandIdFrom(idempotency.scope, idempotency.key);
    return { context: contextOf(state, commandId), idempotency };
  },
  [noting('command')],
);

function contextOf({ principal, receivedAt, traceparent }: RequestState, commandId: string) {
  return {
    commandId,
    correlationId: commandId,
    causationId: commandId,
    actor: principal?.id ?? 'anyone',
    at: receivedAt.toISOString(),
    traceparent,
  };
}

function idempotencyOf(request: FastifyRequest, { principal }: RequestState): Idempotency {
  const key = request.headers['idempotency-key'];
  if (key === undefined || key === '') {
    throw problem('idempotency-key-required', 'A POST needs an Idempotency-Key header.');
  }
  if (typeof key !== 'string' || !IDEMPOTENCY_KEY.test(key)) {
    const rule = 'must be 1 to 200 printable characters without spaces';
    throw problem('invalid-idempotency-key', `Idempotency-Key ${rule}.`, [
      { field: 'Idempotency-Key', rule },
    ]);
  }
  const who = principal === null ? 'anyone' : `${principal.kind}:${principal.id}`;
  const route = `${request.method} ${plainRoutePath(request.routeOptions.url ?? request.url)}`;
  return { scope: `${who} ${route}`, key, payloadDigest: payloadDigestOf(request) };
}

function payloadDigestOf({ params, body }: FastifyRequest): string {
  try {
    return digestOf({ params, body: body ?? null });
  } catch {
    throw problem('malformed-request', 'The body holds text that is not valid Unicode.');
  }
}

/** The revision in `If-Match`, or `*`. 428 when missing, 400 when malformed. */
export const IfMatch = createParamDecorator(
  (_: unknown, context: ExecutionContext): number | '*' => {
    const value = requestOf(context).headers['if-match'];
    if (value === undefined || value === '') {
      throw problem('precondition-required', 'If-Match must hold the ETag that was read, or *.');
    }
    if (value === '*') return '*';
    const revision = Number(ETAG.exec(value)?.[1] ?? Number.NaN);
    if (Number.isSafeInteger(revision)) return revision;
    const rule = 'must be one ETag such as "7", or *';
    throw problem('invalid-if-match', `If-Match ${rule}.`, [{ field: 'If-Match', rule }]);
  },
  [noting('if-match')],
);

/** `?as_of=` in UTC; `undefined` when it is not given. The future is allowed. */
export const AsOf = createParamDecorator(
  (_: unknown, context: ExecutionContext): string | undefined => {
    const value = asOfIn(requestOf(context));
    if (value === undefined) return undefined;
    const instant = typeof value === 'string' ? parseInstant(value) : null;
    if (instant === null) throw invalidField('as_of', 'must be one RFC 3339 instant');
    return instant;
  },
  [noting('as-of')],
);

/** The raw `as_of` of a query, if there is one. */
export function asOfIn({ query }: FastifyRequest): unknown {
  return typeof query === 'object' && query !== null && 'as_of' in query ? query.as_of : undefined;
}

function uuidPipe(name: string): PipeTransform<unknown, string> {
  return {
    transform: (value) => {
      if (typeof value === 'string' && UUID.test(value)) return value;
      throw invalidField(name, 'must be a UUID in lower case');
    },
  };
}

/** A path parameter that is a UUID: `@Id() id: string`. */
export function Id(name = 'id'): ParameterDecorator {
  return Param(name, uuidPipe(name));
}

/** The answer, for `withEtag`; what the method returns is still sent. */
export function Reply(): ParameterDecorator {
  return Res({ passthrough: true });
}
