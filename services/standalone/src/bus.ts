import { type Bus, openPostgresBus } from '@patchtrail/messaging';
import type { Logger, ReadyReport } from '@patchtrail/platform';
import type { StandaloneConfig } from './config.js';

export type HostBus = Readonly<{
  /** For people: what it is kept in. */
  kind: 'PostgreSQL' | 'Kafka';
  bus: Bus;
  /** `null` where the databases' own health says it all. */
  ready: (() => Promise<ReadyReport>) | null;
  close: () => Promise<void>;
}>;

/** Kafka if it is configured, whose client is not loaded otherwise; else PostgreSQL. */
export async function openBus(
  { kafka, instance }: StandaloneConfig,
  postgresUrl: () => string,
  log: Logger,
): Promise<HostBus> {
  if (kafka === null) {
    const bus = await openPostgresBus({ url: postgresUrl(), log });
    return { kind: 'PostgreSQL', bus, ready: null, close: () => bus.close() };
  }
  const { openKafkaBus } = await import('@patchtrail/messaging/kafka');
  const bus = await openKafkaBus({ clientId: instance, ...kafka, log });
  const ready = () => {
    const { ok, detail } = bus.health();
    const check = { name: 'kafka', ok, ...(detail === '' ? {} : { detail }) };
    return Promise.resolve({ service: 'bus', ok, checks: [check] });
  };
  return { kind: 'Kafka', bus, ready, close: () => bus.close() };
}

/**
 * Reports a consumer that has ended for good, and lets it wait until it is told to stop: its service
 * can then still be stopped in order.
 */
export function reportingEnds(bus: Bus, report: (error: unknown) => void): Bus {
  return {
    ensureTopic: (topic, partitions) => bus.ensureTopic(topic, partitions),
    publish: (topic, messages) => bus.publish(topic, messages),
    lag: (group, topics) => bus.lag(group, topics),
    rewind: (group, topics) => bus.rewind(group, topics),
    run: async (options) => {
      try {
        await bus.run(options);
      } catch (error) {
        report(error);
        await aborted(options.signal);
      }
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
