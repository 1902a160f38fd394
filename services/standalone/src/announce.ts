import type { Facts } from './standalone.js';

/** What a host writes to standard output once it serves; whoever has started it waits for this. */
export function announce(facts: Facts): void {
  const { url, services, postgres, bus, eventStore, metricsUrl } = facts;
  const names = services.length === 1 ? services.join() : `{${services.join()}}`;
  process.stdout.write(
    `Patchtrail is ready at ${url} (PostgreSQL: ${postgres})
  Bus: ${bus}; event store: ${eventStore}
  API documents: ${url}/openapi/${names}.json
  Health: ${url}/health/ready
`,
  );
  if (metricsUrl !== null) process.stdout.write(`  Metrics: ${metricsUrl}\n`);
}
