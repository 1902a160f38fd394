import { type DynamicModule, Module } from '@nestjs/common';
import { CONSUMERS } from '@patchtrail/contracts';
import {
  bindStore,
  type EventStore,
  type Projection,
  purgeRefusedEvents,
  reactionLag,
  runProjection,
  runReaction,
  runTimers,
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
import { expireWith } from './adapters/event-store/expire.js';
import { messagesOf } from './adapters/event-store/publish.js';
import { REQUEST_PREFIX, streamsOf } from './adapters/event-store/streams.js';
import { APPROVAL_CONTEXT, type ApprovalContext } from './adapters/http/approval-context.js';
import { ApprovalPoliciesController } from './adapters/http/approval-policies.controller.js';
import { ApprovalRequestsController } from './adapters/http/approval-requests.controller.js';
import { PlanTemplatesController } from './adapters/http/plan-templates.controller.js';
import { FLEET_GROUP, onFleet } from './adapters/messaging/on-fleet.js';
import { fleetIn } from './adapters/postgres/fleet.js';
import { followed } from './adapters/postgres/followed.js';
import { listsIn } from './adapters/postgres/lists.js';
import { approvalReadModels } from './adapters/postgres/read-models.js';

const PUBLISHING = { name: 'approval.publish', prefixes: [REQUEST_PREFIX] };

@Module({})
export class ApprovalModule {}

/** Composition root: what the service reads, decides, keeps and publishes. */
export async function createApproval(
  infra: Infra & Readonly<{ eventStore: EventStore }>,
): Promise<Service> {
  const { db, bus, eventStore: store, log, now } = infra;
  await ensureTopics(bus);
  await bindStore(db, store);
  const streams = streamsOf(store);
  const lists = listsIn(db);
  const publication = publicationOn(bus, messagesOf);
  const elapse = expireWith(streams.requests, now);
  const consumers = { [FLEET_GROUP]: onFleet };
  const reactions = { [PUBLISHING.name]: publication.react };
  const parked: ParkedSources = { db, consumers, streams: { store, reactions } };
  const work = background();
  const { signal } = work;
  let readModels: Projection | null = null;
  let publishing: Projection | null = null;

  const start = () => {
    const follow = { store, db, signal, log };
    const projection = runProjection({ ...follow, ...approvalReadModels });
    readModels = projection;
    const reaction = runReaction({ ...follow, ...PUBLISHING, ...publication });
    publishing = reaction;
    work.run({
      projection,
      reaction,
      timers: runTimers({ db, projection, signal, log, now, elapse }),
      consumer: consume({ bus, db, signal, log, ...CONSUMERS.approval, apply: onFleet }),
      purge: runPurge({ db, now, signal, log, forget: [...FORGOTTEN_BY_ALL, purgeRefusedEvents] }),
    });
    return Promise.resolve();
  };

  const ready = async () => {
    const works = (reader: Projection | null) => reader !== null && reader.lastError() === null;
    return readyReport('approval', [
      { name: 'read-models', ok: works(readModels) },
      { name: 'publishing', ok: works(publishing) },
      ...(await backlogChecks(parked, {
        publishing: () => reactionLag({ store, db, now, ...PUBLISHING }),
      })),
    ]);
  };

  const { current, ...follows } = followed(() => readModels, now);
  const activePolicy = async () => {
    // One that was replaced must not decide any more, least of all where it was milder.
    await current();
    return lists.activePolicy();
  };
  const context: ApprovalContext = {
    ...{ ...streams, db, lists, fleet: fleetIn(db), activePolicy },
    ...follows,
  };
  const module: DynamicModule = {
    module: ApprovalModule,
    controllers: [
      ...[ApprovalRequestsController, PlanTemplatesController, ApprovalPoliciesController],
      parkedMessagesController('approval'),
    ],
    providers: [
      ...accessProviders(infra),
      { provide: APPROVAL_CONTEXT, useValue: context },
      { provide: PARKED_SOURCES, useValue: parked },
    ],
  };
  return { module, start, stop: work.stop, ready };
}
