import { createServer } from 'node:http';
import { once } from 'node:events';
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  MeterProvider,
  type MetricReader,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import { linkedSampler } from './linked-sampler.js';
import { switchMeter } from './metrics.js';
import { switchTracing } from './tracing.js';

export type TelemetryOptions = Readonly<{
  serviceName: string;
  /** Tells the processes of a service apart. */
  instanceId: string;
  /** Base URL of an OTLP/HTTP collector, without `/v1/…`; `null` sends nothing. */
  otlpEndpoint: string | null;
  /** Of the traces that start here, 0 to 1. What links to a recorded trace is recorded too. */
  sampleRatio: number;
  /** Where `GET /metrics` answers in Prometheus' text format; port 0 takes a free one. */
  prometheus: Readonly<{ host: string; port: number }> | null;
}>;

export type Telemetry = Readonly<{
  /** Of the Prometheus endpoint. */
  metricsUrl: string | null;
  /** Sends what is left, for 5 s at most, and switches everything off. */
  stop: () => Promise<void>;
}>;

const EXPORT_INTERVAL_MS = 10_000;
const EXPORT_TIMEOUT_MS = 5_000;
const SPAN_QUEUE_MAX = 4_096;
const SPAN_BATCH_MAX = 512;
const SPAN_DELAY_MS = 1_000;
/** A batch links to each of its messages. */
const LINKS_MAX = 1_000;

/** Traces and metrics of this process from now on. At most once at a time in a process. */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const resource = resourceFromAttributes({
    'service.name': options.serviceName,
    'service.instance.id': options.instanceId,
    'service.namespace': 'patchtrail',
  });
  const prometheus = options.prometheus === null ? null : await servePrometheus(options.prometheus);
  const traces = options.otlpEndpoint === null ? null : startTraces(options, resource);
  const metrics = startMetrics(options, resource, prometheus?.reader ?? null);
  return {
    metricsUrl: prometheus?.url ?? null,
    stop: async () => {
      switchTracing(false);
      switchMeter(null);
      await Promise.allSettled([traces?.(), metrics()]);
      await prometheus?.close();
    },
  };
}

function startTraces(
  { otlpEndpoint, sampleRatio }: TelemetryOptions,
  resource: Resource,
): () => Promise<void> {
  const url = `${otlpEndpoint ?? ''}/v1/traces`;
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: EXPORT_TIMEOUT_MS });
  const processor = new BatchSpanProcessor(exporter, {
    maxQueueSize: SPAN_QUEUE_MAX,
    maxExportBatchSize: SPAN_BATCH_MAX,
    scheduledDelayMillis: SPAN_DELAY_MS,
    exportTimeoutMillis: EXPORT_TIMEOUT_MS,
  });
  const sampler = new ParentBasedSampler({ root: linkedSampler(sampleRatio) });
  const provider = new BasicTracerProvider({
    ...{ resource, sampler, spanProcessors: [processor] },
    spanLimits: { linkCountLimit: LINKS_MAX },
  });
  const contexts = new AsyncLocalStorageContextManager().enable();
  context.setGlobalContextManager(contexts);
  trace.setGlobalTracerProvider(provider);
  switchTracing(true);
  return async () => {
    await provider.shutdown();
    trace.disable();
    context.disable();
  };
}

function startMetrics(
  { otlpEndpoint }: TelemetryOptions,
  resource: Resource,
  prometheus: MetricReader | null,
): () => Promise<void> {
  const readers: MetricReader[] = prometheus === null ? [] : [prometheus];
  if (otlpEndpoint !== null) {
    const exporter = new OTLPMetricExporter({
      url: `${otlpEndpoint}/v1/metrics`,
      timeoutMillis: EXPORT_TIMEOUT_MS,
    });
    const exportIntervalMillis = EXPORT_INTERVAL_MS;
    readers.push(new PeriodicExportingMetricReader({ exporter, exportIntervalMillis }));
  }
  if (readers.length === 0) return () => Promise.resolve();
  const provider = new MeterProvider({ resource, readers });
  switchMeter(provider.getMeter('patchtrail'));
  return () => provider.shutdown();
}

async function servePrometheus({ host, port }: { host: string; port: number }) {
  const reader = new PrometheusExporter({ preventServerStart: true });
  const server = createServer((request, response) => {
    if (request.method === 'GET' && request.url === '/metrics') {
      reader.getMetricsRequestHandler(request, response);
      return;
    }
    response.writeHead(404).end();
  });
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${String(bound)}/metrics`;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { reader, url, close };
}
