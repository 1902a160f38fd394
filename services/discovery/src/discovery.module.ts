import { type DynamicModule, Module } from '@nestjs/common';
import { outboxLag, runOutboxRelay } from '@patchtrail/messaging';
import {
  accessProviders,
  background,
  backlogChecks,
  ensureTopics,
  type Infra,
  PARKED_SOURCES,
  parkedMessagesController,
  readyReport,
  runPurge,
  type Service,
} from '@patchtrail/platform';
import { newTraceparent } from '@patchtrail/telemetry';
import { v7 as uuidv7 } from 'uuid';
import { createAptArchive } from './adapters/feeds/apt-archive.js';
import { DeviceGroupsController } from './adapters/http/device-groups.controller.js';
import { EndpointsController } from './adapters/http/endpoints.controller.js';
import {
  EnrolmentController,
  EnrolmentTokensController,
} from './adapters/http/enrolment.controller.js';
import { ARCHIVE, PackageSourcesController } from './adapters/http/package-sources.controller.js';
import { PatchesController } from './adapters/http/patches.controller.js';
import { DISCOVERY_DB } from './adapters/http/request-origin.js';
import {
  ThreatSignalImportController,
  ThreatSignalsController,
} from './adapters/http/threat-signals.controller.js';
import { runLeasedLoop } from './adapters/leased-loop.js';
import { credentialDigestOf } from './adapters/postgres/endpoint-queries.js';
import { transactOn } from './adapters/postgres/tx.js';
import { stuckWork } from './adapters/postgres/work-queue.js';
import { syncDueSources } from './application/fetch-source.js';
import { workRound } from './application/work-round.js';
import { type DiscoveryConfig, readDiscoveryConfig } from './config.js';

@Module({})
export class DiscoveryModule {}

/** Composition root: agents and archives in, endpoints and patches out. */
export async function createDiscovery(
  infra: Infra,
  config: DiscoveryConfig = readDiscoveryConfig(),
): Promise<Service> {
  const { db, bus, log, now } = infra;
  await ensureTopics(bus);
  const archive = createAptArchive();
  const work = background();
  const transact = transactOn(db);
  const origin = () => {
    const id = uuidv7();
    const caused = { correlationId: id, causationId: id, traceparent: newTraceparent() };
    return { actor: 'service:discovery', at: now().toISOString(), ...caused };
  };

  const start = () => {
    const loop = { databaseUrl: db.url, signal: work.signal, log };
    work.run({
      patches: runLeasedLoop({
        ...loop,
        name: 'discovery.patches',
        pollMs: config.pollMs,
        round: async (signal) => {
          const { done, failures } = await workRound(
            { transact, archive, origin, signal },
            config.staleAfterMs,
          );
          for (const cause of failures) log.error({ cause }, 'Work failed and is tried again.');
          return done > 0;
        },
      }),
      feeds: runLeasedLoop({
        ...loop,
        name: 'discovery.feeds',
        pollMs: Math.min(config.syncIntervalMs, 5_000),
        round: async (signal) => {
          await syncDueSources({ transact, archive, origin, signal }, config.syncIntervalMs);
          return false;
        },
      }),
      relay: runOutboxRelay({ db, bus, signal: work.signal, log, name: 'discovery' }),
      purge: runPurge({ db, now, signal: work.signal, log }),
    });
    return Promise.resolve();
  };

  const parked = { db, consumers: {} };
  const ready = async () =>
    readyReport('discovery', [
      { name: 'stuck-work', ok: true, detail: String(await stuckWork(db)) },
      ...(await backlogChecks(parked, { relay: () => outboxLag(db) })),
    ]);

  const credentials = { digestOf: (endpointId: string) => credentialDigestOf(db, endpointId) };
  const module: DynamicModule = {
    module: DiscoveryModule,
    controllers: [
      ...[EnrolmentTokensController, EnrolmentController, EndpointsController],
      ...[PackageSourcesController, PatchesController, DeviceGroupsController],
      ...[ThreatSignalsController, ThreatSignalImportController],
      parkedMessagesController('discovery'),
    ],
    providers: [
      ...accessProviders({ verifyToken: infra.verifyToken, credentials }),
      { provide: PARKED_SOURCES, useValue: parked },
      { provide: DISCOVERY_DB, useValue: db },
      { provide: ARCHIVE, useValue: archive },
    ],
  };
  return { module, start, stop: work.stop, ready };
}
