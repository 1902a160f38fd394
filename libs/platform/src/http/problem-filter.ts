import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { traceIdOf } from '@patchtrail/telemetry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../logger.js';
import { asProblem, type Problem, problem, problemDocument } from './problem.js';
import { titleOf, transportCodeOf } from './problem-codes.js';
import { stateOf } from './request-state.js';

const PROBLEM_JSON = 'application/problem+json';
const RETRY_AFTER_S = '1';

/** Every error leaves as problem+json; an unexpected one says nothing but its trace. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const traceId = traceIdOf(stateOf(request).traceparent);
    const refusal = asProblem(error) ?? transportProblem(error) ?? this.unexpected(error, traceId);
    if (refusal.status === 503) this.log.warn({ err: error, traceId }, 'A request was put off.');
    sendProblem(http.getResponse<FastifyReply>(), refusal, traceId);
  }

  private unexpected(error: unknown, traceId: string): Problem {
    this.log.error({ err: error, traceId }, 'unexpected error');
    return problem('unexpected', 'Something went wrong here; the trace id names it in the log.');
  }
}

export function sendProblem(reply: FastifyReply, refusal: Problem, traceId: string): void {
  if (refusal.status === 401) reply.header('www-authenticate', challenge(refusal));
  if (refusal.status === 503) reply.header('retry-after', RETRY_AFTER_S);
  void reply
    .status(refusal.status)
    .type(PROBLEM_JSON)
    .send(JSON.stringify(problemDocument(refusal, traceId)));
}

function challenge({ detail }: Problem): string {
  const description = detail.replace(/[^\x20-\x7e]|["\\]/g, '');
  return `Bearer realm="patchtrail", error="invalid_token", error_description="${description}"`;
}

/** What Nest or Fastify refused before a handler ran. Their words may quote the body: ours do not. */
export function transportProblem(error: unknown): Problem | null {
  const status = statusIn(error);
  const code = status === null ? undefined : transportCodeOf(status);
  return code === undefined ? null : problem(code, details[code] ?? `${titleOf(code)}.`);
}

function statusIn(error: unknown): number | null {
  if (error instanceof HttpException) return error.getStatus();
  const fastify = error instanceof Error && 'statusCode' in error;
  return fastify && typeof error.statusCode === 'number' ? error.statusCode : null;
}

const details: Readonly<Record<string, string>> = {
  'malformed-request': 'The request is not valid HTTP with a JSON body.',
  'unknown-route': 'There is no such route.',
  'body-too-large': 'The body is larger than this route takes.',
  'unsupported-media-type': 'The body must be application/json.',
};
