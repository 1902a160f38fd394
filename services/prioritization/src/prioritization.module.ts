import { type DynamicModule, Module } from '@nestjs/common';
import { ENDPOINTS_TOPIC, PATCHES_TOPIC } from '@patchtrail/contracts';
import { consume, parkedCount, runOutboxRelay } from '@patchtrail/messaging';
import {
  accessProviders,
  background,
  ensureTopics,
  type Infra,
  lagClock,
  readyReport,
  type Service,
} from '@patchtrail/platform';
import {
  DECISIONS_DB,
  DECISIONS_LAG,
  DecisionsController,
} from './adapters/http/decisions.controller.js';
import { onEndpointEvent, onPatchEvent } from './adapters/messaging/on-discovery.js';

const GROUP = 'prioritization.on-discovery';

@Module({})
export class PrioritizationModule {}

/** Composition root: what is decided from what, and where it goes. */
export async function createPrioritization(infra: Infra): Promise<Service> {
  const { db, bus, log, now } = infra;
  const topics = [ENDPOINTS_TOPIC, PATCHES_TOPIC];
  await ensureTopics(bus);
  const work = background();
  const { signal } = work;

  const start = () => {
    work.run({
      consumer: consume({
        ...{ bus, db, group: GROUP, topics, signal, log },
        apply: async (tx, message) => {
          await onEndpointEvent(tx, message, now().toISOString());
          await onPatchEvent(tx, message, now().toISOString());
        },
      }),
      relay: runOutboxRelay({ db, bus, signal, log, name: 'prioritization' }),
    });
    return Promise.resolve();
  };

  const ready = async () => {
    const parked = await parkedCount(db);
    return readyReport('prioritization', [
      { name: 'parked-messages', ok: true, detail: String(parked) },
    ]);
  };

  const module: DynamicModule = {
    module: PrioritizationModule,
    controllers: [DecisionsController],
    providers: [
      ...accessProviders(infra),
      { provide: DECISIONS_DB, useValue: db },
      { provide: DECISIONS_LAG, useValue: lagClock(infra, GROUP, topics) },
    ],
  };
  return { module, start, stop: work.stop, ready };
}
