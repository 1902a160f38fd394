import { type DynamicModule, Module } from '@nestjs/common';
import { CONSUMERS } from '@patchtrail/contracts';
import {
  bindStore,
  createKeyedQueue,
  type EventStore,
  type Projection,
  purgeRefusedEvents,
  reactionLag,
  runProjection,
  runReaction,
  runTimers,
  type StoredEvent,
} from '@patchtrail/event-store';
import { consume, publicationOn } from '@patchtrail/messaging';
import {
  accessProviders,
  background,
  backlogChecks,
  ensureTopics,
  FORGOTTEN_BY_ALL,
  type Infra,
  PARKED_SOURCES,
  parkedMessagesController,
  type ParkedSources,
  readyReport,
  runPurge,
  type Service,
} from '@patchtrail/platform';
import { elapseWith } from './adapters/event-store/elapse.js';
import { messagesOf } from './adapters/event-store/publish.js';
import { rolloutCodec } from './adapters/event-store/rollout-codec.js';
import { wavePartCodec } from './adapters/event-store/wave-part-codec.js';
import { AgentsController } from './adapters/http/agents.controller.js';
import { DEPLOYMENT_CONTEXT, type DeploymentContext } from './adapters/http/deployment-context.js';
import { LeasesController } from './adapters/http/leases.controller.js';
import { RefusedReportsController } from './adapters/http/refused-reports.controller.js';
import { RolloutsController } from './adapters/http/rollouts.controller.js';
import { APPROVAL_GROUP, onApproval } from './adapters/messaging/on-approval.js';
import { FLEET_GROUP, fleetSettledOn, onDiscovery } from './adapters/messaging/on-discovery.js';
import { cohortDraftsIn, credentialsIn, fleetIn } from './adapters/postgres/fleet.js';
import { freshnessOf } from './adapters/postgres/freshness.js';
import { listsIn } from './adapters/postgres/lists.js';
import { membershipIn, refusedReportsIn } from './adapters/postgres/membership.js';
import { deploymentReadModels } from './adapters/postgres/read-models.js';
import { drive } from './application/drive.js';
import { causeOf } from './application/driver.js';
import { PART_PREFIX, ROLLOUT_PREFIX } from './application/names.js';
import type { Streams } from './application/ports.js';
import { createStreams } from './application/streams.js';

const PREFIXES = [ROLLOUT_PREFIX, PART_PREFIX];
const DRIVER = 'deployment.driver';
const PUBLISHER = 'deployment.publish';

const CONTROLLERS = [
  ...[RolloutsController, AgentsController, LeasesController, RefusedReportsController],
  parkedMessagesController('deployment'),
];

@Module({})
export class DeploymentModule {}

/** Composition root: what the service reads, decides, drives, keeps and publishes. */
export async function createDeployment(
  infra: Infra & Readonly<{ eventStore: EventStore }>,
): Promise<Service> {
  const { db, bus, eventStore: store, verifyToken, log, now } = infra;
  await ensureTopics(bus);
  await bindStore(db, store);
  const streams = createStreams(store, { rollout: rolloutCodec, wavePart: wavePartCodec });
  const work = background();
  const { signal } = work;
  const driveOn = driverOf(infra, streams, signal);
  const publication = publicationOn(bus, messagesOf(db, streams));
  const reactions = { [DRIVER]: driveOn, [PUBLISHER]: publication.react };
  const authorize = onApproval(streams, now);
  const consumers = { [FLEET_GROUP]: onDiscovery, [APPROVAL_GROUP]: authorize };
  const parked: ParkedSources = { db, consumers, streams: { store, reactions } };
  let readModels: Projection | null = null;
  let followers: Readonly<Record<string, Projection>> = {};

  const start = () => {
    const follow = { store, db, signal, log, prefixes: PREFIXES };
    const consuming = { bus, db, signal, log };
    const projection = runProjection({ ...follow, ...deploymentReadModels });
    const driving = runReaction({ ...follow, name: DRIVER, react: driveOn, laneOf: rolloutOf });
    const publishing = runReaction({ ...follow, name: PUBLISHER, ...publication });
    readModels = projection;
    followers = { 'read-models': projection, driving, publishing };
    work.run({
      ...followers,
      purge: runPurge({ db, now, signal, log, forget: [...FORGOTTEN_BY_ALL, purgeRefusedEvents] }),
      timers: runTimers({ db, projection, signal, log, now, elapse: elapseWith(streams, now) }),
      fleet: consume({ ...consuming, ...CONSUMERS.deploymentFleet, apply: onDiscovery }),
      authorizations: consume({
        ...{ ...consuming, ...CONSUMERS.deploymentRequests },
        apply: authorize,
        reachable: () => store.head(),
      }),
    });
    return Promise.resolve();
  };

  const ready = async () =>
    readyReport('deployment', [
      { name: 'started', ok: readModels !== null },
      ...Object.entries(followers).map(([name, one]) => ({ name, ok: one.lastError() === null })),
      ...(await backlogChecks(parked, {
        publishing: () => reactionLag({ store, db, now, name: PUBLISHER, prefixes: PREFIXES }),
      })),
    ]);

  const context: DeploymentContext = {
    ...{ db, streams, lists: listsIn(db), membership: membershipIn(db), queue: createKeyedQueue() },
    ...{ refused: refusedReportsIn(db), freshness: freshnessOf(() => readModels, now) },
  };
  const module: DynamicModule = {
    module: DeploymentModule,
    controllers: CONTROLLERS,
    providers: [
      ...accessProviders({ verifyToken, credentials: credentialsIn(db) }),
      { provide: PARKED_SOURCES, useValue: parked },
      { provide: DEPLOYMENT_CONTEXT, useValue: context },
    ],
  };
  return { module, start, stop: work.stop, ready };
}

/** What one rollout leads to waits for nothing that another leads to. */
function rolloutOf(event: StoredEvent): string {
  return causeOf(event)?.rolloutId ?? event.stream;
}

/** What follows for rollouts and their parts from their events. */
function driverOf({ db, bus, now }: Infra, streams: Streams, signal: AbortSignal) {
  const fleetSettled = fleetSettledOn(bus, signal);
  const driver = { streams, fleet: fleetIn(db), drafts: cohortDraftsIn(db), fleetSettled, now };
  return (event: StoredEvent) => drive(driver, event);
}
