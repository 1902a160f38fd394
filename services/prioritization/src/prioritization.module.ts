import { type DynamicModule, Module } from '@nestjs/common';
import { CONSUMERS } from '@patchtrail/contracts';
import { type Apply, consume, outboxLag, runOutboxRelay } from '@patchtrail/messaging';
import {
  accessProviders,
  background,
  backlogChecks,
  ensureTopics,
  type Infra,
  lagClock,
  PARKED_SOURCES,
  parkedMessagesController,
  type ParkedSources,
  readyReport,
  runPurge,
  type Service,
} from '@patchtrail/platform';
import {
  DECISIONS_DB,
  DECISIONS_LAG,
  DecisionsController,
} from './adapters/http/decisions.controller.js';
import { onEndpointEvent, onPatchEvent } from './adapters/messaging/on-discovery.js';

const { group: GROUP, topics } = CONSUMERS.prioritization;

@Module({})
export class PrioritizationModule {}

/** Composition root: what is decided from what, and where it goes. */
export async function createPrioritization(infra: Infra): Promise<Service> {
  const { db, bus, log, now } = infra;
  await ensureTopics(bus);
  const apply: Apply = async (tx, message) => {
    await onEndpointEvent(tx, message, now().toISOString());
    await onPatchEvent(tx, message, now().toISOString());
  };
  const parked: ParkedSources = { db, consumers: { [GROUP]: apply } };
  const work = background();
  const { signal } = work;

  const start = () => {
    work.run({
      consumer: consume({ bus, db, signal, log, ...CONSUMERS.prioritization, apply }),
      relay: runOutboxRelay({ db, bus, signal, log, name: 'prioritization' }),
      purge: runPurge({ db, now, signal, log }),
    });
    return Promise.resolve();
  };

  const ready = async () =>
    readyReport('prioritization', await backlogChecks(parked, { relay: () => outboxLag(db) }));

  const module: DynamicModule = {
    module: PrioritizationModule,
    controllers: [DecisionsController, parkedMessagesController('prioritization')],
    providers: [
      ...accessProviders(infra),
      { provide: PARKED_SOURCES, useValue: parked },
      { provide: DECISIONS_DB, useValue: db },
      { provide: DECISIONS_LAG, useValue: lagClock(infra, GROUP, topics) },
    ],
  };
  return { module, start, stop: work.stop, ready };
}
