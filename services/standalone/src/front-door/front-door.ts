import { randomBytes } from 'node:crypto';
import replyFrom from '@fastify/reply-from';
import { type Logger, Problem, sendProblem } from '@patchtrail/platform';
import { traceIdOf } from '@patchtrail/telemetry';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { ServiceName } from '../services.js';
import { type FindReplicas, type Replicas, watchReplicas } from './replicas.js';
import { readRoutes } from './routes.js';

export type FrontDoor = Readonly<{ url: string; close: () => Promise<void> }>;

/** More than any route of a service takes: each has a limit of its own. */
const BODY_BYTES_MAX = 32 * 1_048_576;
const REQUEST_MS_MAX = 60_000;
/** A little longer than a service takes for a request. */
const ANSWER_MS_MAX = 70_000;
const DRAIN_MS_MAX = 10_000;
/** Services that have just started become ready within this; the door opens for them all. */
const SETTLE_MS_MAX = 15_000;

/** One address for all services: requests go by path to a replica that is ready. */
export async function startFrontDoor(options: {
  find: FindReplicas;
  log: Logger;
  host: string;
  port: number;
}): Promise<FrontDoor> {
  const { find, log, host, port } = options;
  const serviceOf = readRoutes();
  const replicas = watchReplicas(find, log);
  const app = Fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
    forceCloseConnections: 'idle',
    frameworkErrors: (_error, request, reply) => {
      refuse(request, reply, MALFORMED);
    },
  });
  const close = async () => {
    const late = setTimeout(() => app.server.closeAllConnections(), DRAIN_MS_MAX);
    await app.close();
    clearTimeout(late);
    await replicas.stop();
  };
  try {
    await prepare(app, replicas, serviceOf);
    await replicas.settle(SETTLE_MS_MAX);
    return { url: await app.listen({ host, port }), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function prepare(
  app: FastifyInstance,
  replicas: Replicas,
  serviceOf: (url: string) => ServiceName | null,
): Promise<void> {
  app.removeAllContentTypeParsers();
  // Held as it came, so that it can be sent to another replica.
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  await app.register(replyFrom, {
    disableRequestLogging: true,
    undici: { headersTimeout: ANSWER_MS_MAX, bodyTimeout: ANSWER_MS_MAX },
  });
  app.get('/health/live', () => ({ ok: true }));
  app.get('/health/ready', (_request, reply) => {
    const health = replicas.health();
    return reply.status(health.ok ? 200 : 503).send(health);
  });
  app.setErrorHandler((error, request, reply) => {
    const isLarge = error instanceof Error && 'statusCode' in error && error.statusCode === 413;
    refuse(request, reply, isLarge ? TOO_LARGE : MALFORMED);
  });
  app.all('/*', (request, reply) => {
    const service = serviceOf(request.url);
    if (service === null) refuse(request, reply, NO_ROUTE);
    else passOn(request, reply, replicas, replicas.candidates(service));
    return reply;
  });
}

const NO_ROUTE = new Problem(404, 'unknown-route', 'There is no such route.');
const TOO_LARGE = new Problem(413, 'body-too-large', 'The body is larger than any route takes.');
const MALFORMED = new Problem(400, 'malformed-request', 'The request is not valid HTTP.');
const NOBODY = new Problem(503, 'unavailable', 'No replica of the service answers.');
const NO_ANSWER = new Problem(
  502,
  'no-answer',
  'The service did not answer to the end. A request that changes something may have done so: repeat it with the same Idempotency-Key.',
);

/** To the first candidate that takes it. */
function passOn(
  request: FastifyRequest,
  reply: FastifyReply,
  replicas: Replicas,
  candidates: readonly string[],
): void {
  const [url, ...others] = candidates;
  if (url === undefined) {
    refuse(request, reply, NOBODY);
    return;
  }
  reply.from(request.url, {
    ...bodyOf(request),
    getUpstream: () => url,
    retryDelay: () => null,
    onError: (_reply, { error }) => {
      const code = codeOf(error);
      if (NOT_REACHED.includes(code)) replicas.markDown(url);
      const isSafe = NOT_REACHED.includes(code) || mayRepeat(request);
      if (isSafe) passOn(request, reply, replicas, others);
      else refuse(request, reply, NO_ANSWER);
    },
  });
}

/** The request has not arrived, so it may go elsewhere whatever it asks for. */
const NOT_REACHED = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENOTFOUND', 'UND_ERR_CONNECT_TIMEOUT'];

function mayRepeat({ method, headers }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD' || headers['idempotency-key'] !== undefined;
}

/** Of what the client of HTTP threw, which is the cause of what is handed over. */
function codeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (typeof cause !== 'object' || cause === null || !('code' in cause)) return '';
  return String(cause.code);
}

function bodyOf({ body, headers }: FastifyRequest) {
  if (!Buffer.isBuffer(body)) return {};
  return { body, contentType: headers['content-type'] ?? 'application/octet-stream' };
}

function refuse(
  request: Pick<FastifyRequest, 'headers'>,
  reply: FastifyReply,
  problem: Problem,
): void {
  const { traceparent } = request.headers;
  const known = typeof traceparent === 'string' ? traceIdOf(traceparent) : '';
  sendProblem(reply, problem, known || randomBytes(16).toString('hex'));
}
