import type { Facts } from './standalone.js';

/** What a host writes to standard output once it serves; whoever has started it waits for this. */
export function announce({ url, postgres, bus, eventStore, metricsUrl }: Facts): void {
  process.stdout.write(
    `Patchtrail is ready at ${url} (PostgreSQL: ${postgres})
  Bus: ${bus}; event store: ${eventStore}
  API documents: ${url}/openapi/{discovery,prioritization,approval,deployment,reporting}.json
  Health: ${url}/health/ready
`,
  );
  if (metricsUrl !== null) process.stdout.write(`  Metrics: ${metricsUrl}\n`);
}
