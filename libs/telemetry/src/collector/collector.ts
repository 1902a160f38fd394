import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';

const Link = Type.Object({ traceId: Type.String(), spanId: Type.String() });

/** Of the kinds of value that OTLP knows, those that we send. */
const Attribute = Type.Object({
  key: Type.String(),
  value: Type.Object({
    stringValue: Type.Optional(Type.String()),
    intValue: Type.Optional(Type.Union([Type.Number(), Type.String()])),
    doubleValue: Type.Optional(Type.Number()),
    boolValue: Type.Optional(Type.Boolean()),
  }),
});

const Span = Type.Object({
  traceId: Type.String(),
  spanId: Type.String(),
  parentSpanId: Type.Optional(Type.String()),
  name: Type.String(),
  kind: Type.Integer(),
  startTimeUnixNano: Type.String(),
  endTimeUnixNano: Type.String(),
  attributes: Type.Optional(Type.Array(Attribute)),
  links: Type.Optional(Type.Array(Link)),
  status: Type.Optional(Type.Object({ message: Type.Optional(Type.String()) })),
});

const Exported = Type.Object({
  resourceSpans: Type.Array(
    Type.Object({
      resource: Type.Object({ attributes: Type.Array(Attribute) }),
      scopeSpans: Type.Array(Type.Object({ spans: Type.Array(Span) })),
    }),
  ),
});

/** A span as it arrived. */
export type CollectedSpan = Readonly<{
  traceId: string;
  spanId: string;
  /** `null` for the first span of a trace. */
  parentSpanId: string | null;
  name: string;
  /** OTLP's number: 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  kind: number;
  /** Since the epoch, in milliseconds. */
  startMs: number;
  durationMs: number;
  /** Values as text, those of the resource among them. */
  attributes: ReadonlyMap<string, string>;
  links: readonly Readonly<{ traceId: string; spanId: string }>[];
  /** The class of a failure. */
  failure: string | null;
}>;

export type Collector = Readonly<{
  /** Base URL, as an exporter's endpoint. */
  url: string;
  /** In the order of their arrival. */
  spans: () => readonly CollectedSpan[];
  /** What arrived of metrics, as it came. */
  metrics: () => string;
  close: () => Promise<void>;
}>;

const SPANS_MAX = 100_000;
const METRICS_MAX = 100;
const BODY_BYTES_MAX = 16 * 1_048_576;

/** The receiving end of OTLP over HTTP in JSON, in memory: the newest 100,000 spans. */
export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const metrics: string[] = [];
  const take = (path: string, body: string) => {
    if (path === '/v1/traces') keepNewest(spans, spansIn(JSON.parse(body)), SPANS_MAX);
    if (path === '/v1/metrics') keepNewest(metrics, [body], METRICS_MAX);
  };
  const server = createServer((request, response) => void receive(request, response, take));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    spans: () => spans,
    metrics: () => metrics.join('\n'),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function receive(
  request: IncomingMessage,
  response: ServerResponse,
  take: (path: string, body: string) => void,
): Promise<void> {
  try {
    take(request.url ?? '', await bodyOf(request));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  } catch {
    response.writeHead(400).end();
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('The body must be bytes.');
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new RangeError('The body is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function keepNewest<T>(kept: T[], more: readonly T[], max: number): void {
  kept.push(...more);
  if (kept.length > max) kept.splice(0, kept.length - max);
}

function spansIn(body: unknown): readonly CollectedSpan[] {
  return Value.Decode(Exported, body).resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) => spans.map((span) => collected(span, resource.attributes))),
  );
}

function collected(
  span: Static<typeof Span>,
  resource: readonly Static<typeof Attribute>[],
): CollectedSpan {
  const [start, end] = [BigInt(span.startTimeUnixNano), BigInt(span.endTimeUnixNano)];
  const { traceId, spanId, parentSpanId, name, kind, attributes = [], links = [] } = span;
  const all = [...resource, ...attributes].map(({ key, value }) => {
    const [only] = Object.values(value);
    return [key, String(only)] as const;
  });
  return {
    ...{ traceId, spanId, name, kind, links },
    parentSpanId: parentSpanId ?? null,
    startMs: Number(start / 1_000_000n),
    durationMs: Number(end - start) / 1e6,
    attributes: new Map(all),
    failure: span.status?.message ?? null,
  };
}
