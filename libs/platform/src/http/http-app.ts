import 'reflect-metadata';
import { type DynamicModule, type LoggerService, Module } from '@nestjs/common';
import { ModulesContainer, NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { durations, telemetryIsOn, traceIdOf } from '@patchtrail/telemetry';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { now as systemClock } from '../instant.js';
import type { Logger } from '../logger.js';
import { AnswerCheck } from './answer-check.js';
import { type Readiness, serveHealth } from './health.js';
import { type ApiDoc, type ApiDocument, documentOf } from './openapi.js';
import { problem } from './problem.js';
import { ProblemFilter, sendProblem, transportProblem } from './problem-filter.js';
import { RequestPipe } from './request-pipe.js';
import { openRequest, stateOf } from './request-state.js';
import { checkRoutes } from './route-check.js';

export type HttpAppOptions = Readonly<{
  modules: readonly DynamicModule[];
  docs: readonly ApiDoc[];
  log: Logger;
  /** What `/health/ready` asks; none means ready. */
  ready?: Readiness;
  now?: () => Date;
  /** 1 MiB unless told; `@BodyLimit` sets another for a route. */
  bodyLimitBytes?: number;
  /** For specs: refuses to send what the route's document does not describe. */
  checkAnswers?: boolean;
}>;

export type HttpApp = Readonly<{
  /** The URL it listens on. Port 0 takes a free one. */
  listen: (port: number, host: string) => Promise<string>;
  /** Takes no more connections, and waits at most 10 s for the requests under way. */
  close: () => Promise<void>;
  /** The OpenAPI document of `docs`. @throws Error for an unknown name */
  document: (name: string) => ApiDocument;
}>;

const BODY_LIMIT_BYTES = 1_048_576;
const DRAIN_DEADLINE_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;

const requestTime = durations('http.server.request.duration', 'Of a request and its answer.');

/** Fastify's errors stay what they are until the problem filter. */
class Adapter extends FastifyAdapter {
  override mapException(error: unknown): unknown {
    return error;
  }
}

@Module({})
class HttpRoot {}

/** @throws Error naming every route without an access decision or a checked body */
export async function createHttpApp(options: HttpAppOptions): Promise<HttpApp> {
  const { modules, docs, log } = options;
  const app = await NestFactory.create<NestFastifyApplication>(
    { module: HttpRoot, imports: [...modules] },
    adapter(options),
    { logger: nestLogger(log), bodyParser: false, abortOnError: false },
  );
  const server = app.getHttpAdapter().getInstance();
  checkRoutes(app.get(ModulesContainer));
  app.useGlobalPipes(new RequestPipe());
  app.useGlobalFilters(new ProblemFilter(log));
  if (options.checkAnswers === true) app.useGlobalInterceptors(new AnswerCheck());
  prepare(server, options);
  serveHealth(server, options.ready ?? {});
  const documents = new Map<string, ApiDocument>();
  server.get<{ Params: { file: string } }>('/openapi/:file', ({ params }, reply) => {
    const document = documents.get(params.file.replace(/\.json$/, ''));
    if (document === undefined) throw problem('unknown-route', 'There is no such document.');
    return reply.send(document);
  });
  await app.init();
  for (const doc of docs) documents.set(doc.name, documentOf(app, doc));
  return running(app, documents);
}

function adapter({ bodyLimitBytes = BODY_LIMIT_BYTES }: HttpAppOptions): Adapter {
  return new Adapter({
    bodyLimit: bodyLimitBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      const refusal = transportProblem(error) ?? problem('malformed-request', 'Not a valid URL.');
      sendProblem(reply, refusal, traceIdOf(stateOf(request).traceparent));
    },
  });
}

function prepare(server: FastifyInstance, { now = systemClock, log }: HttpAppOptions): void {
  server.removeContentTypeParser('text/plain');
  server.addHook('onRoute', (route) => {
    const config: unknown = route.config;
    if (typeof config !== 'object' || config === null || !('bodyLimitBytes' in config)) return;
    if (typeof config.bodyLimitBytes === 'number') route.bodyLimit = config.bodyLimitBytes;
  });
  server.addHook('onRequest', (request, reply, done) => {
    const { traceparent } = openRequest(request, request.headers['traceparent'], now());
    void reply.header('traceparent', traceparent).header('x-content-type-options', 'nosniff');
    done();
  });
  // Not earlier: reading the body leaves the context that a request came in with.
  server.addHook('preValidation', (request, _, done) => {
    const { span } = stateOf(request);
    if (span === null) done();
    else span.within(done);
  });
  server.addHook('onResponse', (request, reply, done) => {
    const { traceparent } = stateOf(request);
    const { method, routeOptions } = request;
    const [route, status] = [routeOptions.url ?? 'unknown', reply.statusCode];
    if (telemetryIsOn()) observe(request, reply, route);
    const ms = Math.round(reply.elapsedTime);
    log.debug({ method, route, status, ms, traceId: traceIdOf(traceparent) }, 'request');
    done();
  });
}

function observe(request: FastifyRequest, reply: FastifyReply, route: string): void {
  const { method, protocol } = request;
  const status = reply.statusCode;
  const failure = status >= 500 ? String(status) : null;
  const attributes = {
    'http.request.method': method,
    'http.route': route,
    'http.response.status_code': status,
    'url.scheme': protocol,
    ...(failure === null ? {} : { 'error.type': failure }),
  };
  stateOf(request).span?.end({ name: `${method} ${route}`, failure, attributes });
  requestTime.record(reply.elapsedTime / 1_000, attributes);
}

function running(
  app: NestFastifyApplication,
  documents: ReadonlyMap<string, ApiDocument>,
): HttpApp {
  let closed: Promise<void> | null = null;
  return {
    listen: async (port, host) => {
      await app.listen(port, host);
      return app.getUrl();
    },
    close: () => (closed ??= drain(app)),
    document: (name) => {
      const document = documents.get(name);
      if (document === undefined) throw new Error(`There is no OpenAPI document ${name}.`);
      return document;
    },
  };
}

async function drain(app: NestFastifyApplication): Promise<void> {
  const deadline = setTimeout(() => {
    app.getHttpAdapter().getInstance().server.closeAllConnections();
  }, DRAIN_DEADLINE_MS);
  try {
    await app.close();
  } finally {
    clearTimeout(deadline);
  }
}

/** Nest's own start-up chatter stays out of the log. */
function nestLogger(log: Logger): LoggerService {
  const text = (message: unknown) => (message instanceof Error ? message.message : String(message));
  return {
    log: () => undefined,
    warn: (message: unknown) => {
      log.warn({ from: 'nest' }, text(message));
    },
    error: (message: unknown) => {
      log.error({ from: 'nest' }, text(message));
    },
  };
}
