import { randomUUID } from 'node:crypto';
import type { Telemetry } from '@patchtrail/telemetry/sdk';
import type { StandaloneConfig } from './config.js';

const NONE: Telemetry = { metricsUrl: null, stop: () => Promise.resolve() };

/** Traces and metrics as configured; without configuration not even their code is loaded. */
export async function startHostTelemetry({
  services,
  telemetry,
  host,
}: StandaloneConfig): Promise<Telemetry> {
  const { otlpEndpoint, metricsPort, traceRatio } = telemetry;
  if (otlpEndpoint === null && metricsPort === null) return NONE;
  const { startTelemetry } = await import('@patchtrail/telemetry/sdk');
  return startTelemetry({
    serviceName: services.length === 1 ? `patchtrail-${services[0] ?? ''}` : 'patchtrail',
    instanceId: randomUUID(),
    otlpEndpoint,
    sampleRatio: traceRatio,
    prometheus: metricsPort === null ? null : { host, port: metricsPort },
  });
}
