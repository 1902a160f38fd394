import { startTelemetry } from '../sdk.js';
import { type CollectedSpan, startCollector } from './collector.js';

/** What this process tells of itself from the start of this on, for specs. */
export type OwnTelemetry = Readonly<{
  /** Metrics in Prometheus' text format. */
  scrape: () => Promise<string>;
  /** Switches telemetry off. @returns every span that has ended, in the order of their starts */
  stop: () => Promise<readonly CollectedSpan[]>;
}>;

export async function collectOwn(): Promise<OwnTelemetry> {
  const collector = await startCollector();
  const telemetry = await startTelemetry({
    ...{ serviceName: 'spec', instanceId: '1', otlpEndpoint: collector.url, sampleRatio: 1 },
    prometheus: { host: '127.0.0.1', port: 0 },
  });
  return {
    scrape: async () => (await fetch(telemetry.metricsUrl ?? '')).text(),
    stop: async () => {
      await telemetry.stop();
      await collector.close();
      return [...collector.spans()].sort((a, b) => a.startMs - b.startMs);
    },
  };
}
