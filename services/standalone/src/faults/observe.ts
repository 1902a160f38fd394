import { createHash } from 'node:crypto';
import { approvalReadModels } from '@patchtrail/approval';
import {
  approval,
  type CloudEvent,
  type ConsumerGroup,
  CONSUMERS,
  deployment,
  discovery,
  isEvent,
} from '@patchtrail/contracts';
import { deploymentReadModels } from '@patchtrail/deployment';
import {
  type EventStore,
  openPostgresEventStore,
  type ProjectionDefinition,
  reactionLag,
  rebuildProjection,
  type StoredEvent,
} from '@patchtrail/event-store';
import { type OpenBus, openPostgresBus, outboxLag } from '@patchtrail/messaging';
import type { Database } from '@patchtrail/postgres';
import { BUS, databaseOf, EVENT_STORE } from '../databases.js';
import { SERVICE_NAMES, type ServiceName } from '../services.js';
import type { Backing } from './backing.js';
import type { BusFact, ConsumerFact, Observations, StoredFact } from './oracle.js';
import type { Command } from './workload.js';

/** What is looked at when a run is over, past the proxies and past the product. */
export type Looks = Readonly<{
  store: EventStore;
  bus: Pick<OpenBus, 'lag' | 'run'>;
  databases: ReadonlyMap<ServiceName, Database>;
  close: () => Promise<void>;
}>;

const GROUPS: readonly (ConsumerGroup & Readonly<{ service: ServiceName }>)[] = [
  { service: 'prioritization', ...CONSUMERS.prioritization },
  { service: 'approval', ...CONSUMERS.approval },
  { service: 'deployment', ...CONSUMERS.deploymentFleet },
  { service: 'deployment', ...CONSUMERS.deploymentRequests },
  { service: 'reporting', ...CONSUMERS.reporting },
];
const REACTIONS = [
  { service: 'approval', name: 'approval.publish', prefixes: ['approvalRequest-'] },
  { service: 'deployment', name: 'deployment.publish', prefixes: ['rollout-', 'rolloutWave-'] },
  { service: 'deployment', name: 'deployment.driver', prefixes: ['rollout-', 'rolloutWave-'] },
] as const;
const PROJECTIONS: readonly Readonly<{ service: ServiceName; projection: ProjectionDefinition }>[] =
  [
    { service: 'approval', projection: approvalReadModels },
    { service: 'deployment', projection: deploymentReadModels },
  ];
const PAGE = 5_000;

export async function openLooks(backing: Backing): Promise<Looks> {
  const opened: { close: () => Promise<void> }[] = [];
  const keep = <T extends { close: () => Promise<void> }>(one: T): T => {
    opened.push(one);
    return one;
  };
  const store = keep(await openPostgresEventStore({ url: backing.adminUrl(EVENT_STORE) }));
  const bus = keep(await openBus(backing));
  const databases = new Map<ServiceName, Database>();
  for (const name of SERVICE_NAMES) {
    databases.set(name, keep(await backing.admin(databaseOf(name))));
  }
  const close = async () => {
    for (const one of opened.splice(0).reverse()) await one.close();
  };
  return { store, bus, databases, close };
}

async function openBus(backing: Backing): Promise<OpenBus> {
  if (backing.brokers.length === 0) {
    return openPostgresBus({ url: backing.adminUrl(BUS) });
  }
  const { openKafkaBus } = await import('@patchtrail/messaging/kafka');
  return openKafkaBus({ brokers: backing.brokers, clientId: 'patchtrail-faults' });
}

function of(looks: Looks, service: ServiceName): Database {
  const db = looks.databases.get(service);
  if (db === undefined) throw new Error(`${service} has no database here.`);
  return db;
}

/** How far everybody is behind; all zero once the run has come to rest. */
export async function lagsOf(looks: Looks): Promise<Observations['lags']> {
  const outboxes = (['discovery', 'prioritization'] as const).map(async (service) => {
    const { waiting } = await outboxLag(of(looks, service));
    return { what: `the outbox of ${service}`, lag: waiting };
  });
  const groups = GROUPS.map(async ({ group, topics }) => ({
    what: group,
    lag: Number(await looks.bus.lag(group, topics)),
  }));
  const reactions = REACTIONS.map(async ({ service, name, prefixes }) => {
    const options = { store: looks.store, db: of(looks, service), now: () => new Date() };
    const { waiting } = await reactionLag({ ...options, name, prefixes });
    return { what: name, lag: waiting };
  });
  const projections = PROJECTIONS.map(async ({ service, projection }) => ({
    what: projection.name,
    lag: await projectionLag(looks, of(looks, service), projection),
  }));
  return Promise.all([...outboxes, ...groups, ...reactions, ...projections]);
}

async function projectionLag(
  { store }: Looks,
  db: Database,
  { name, prefixes }: ProjectionDefinition,
): Promise<number> {
  const { waiting } = await reactionLag({ store, db, now: () => new Date(), name, prefixes });
  return waiting;
}

/** Looks at everything. The hosts still run: nobody sends, and nothing is under way. */
export async function observe(
  looks: Looks,
  commands: readonly Command[],
  writes: Observations['writes'],
): Promise<Observations> {
  const stored = await allEvents(looks.store);
  const messages = await allMessages(looks.bus);
  const enrolled = await of(looks, 'discovery').rows<{ mark: string; id: string }>(
    `SELECT attributes ->> 'hostname' AS mark, endpoint_id::text AS id FROM endpoints`,
  );
  return {
    commands,
    records: [
      ...stored.flatMap((event) => recordsOf(event)),
      ...enrolled.map(({ mark }) => ({ mark, place: 'discovery.endpoints' })),
    ],
    events: stored.map(factOf),
    messages: messages.map(({ fact }) => fact),
    streamTopics: [approval.RingsAuthorized.topic, deployment.RolloutCreated.topic],
    announcements: [
      {
        of: 'the endpoints of discovery',
        expected: enrolled.map(({ id }) => id),
        found: messages.flatMap(({ message }) =>
          isEvent(discovery.EndpointEnrolled, message) ? [message.data.endpointId] : [],
        ),
      },
    ],
    consumers: await Promise.all(GROUPS.map((group) => consumerOf(looks, group))),
    effects: await effectsOf(looks, messages, stored),
    projections: await rebuilt(looks),
    writes,
    parked: await parkedIn(looks),
    lags: await lagsOf(looks),
  };
}

async function allEvents(store: EventStore): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = [];
  let from: Parameters<EventStore['readAll']>[0] = { maxCount: PAGE };
  for (;;) {
    const page = await store.readAll(from);
    events.push(...page.events);
    if (page.next === null) return events;
    from = { from: page.next, maxCount: PAGE };
  }
}

function factOf({ stream, revision, id, type, metadata, data }: StoredEvent): StoredFact {
  const digest = createHash('sha256').update(JSON.stringify(data)).digest('hex').slice(0, 16);
  return { stream, revision, id, type, commandId: metadata.commandId, digest };
}

/** Where the marks of commands are kept: the field of one event each. */
const MARKED: Readonly<Record<string, string>> = {
  PlanTemplateDefined: 'name',
  PlanTemplateRevised: 'name',
  ApprovalRequested: 'remark',
  DecisionRecorded: 'remark',
  RequestWithdrawn: 'reason',
};

function recordsOf({ type, data, stream, revision }: StoredEvent): Observations['records'] {
  const field = MARKED[type];
  if (field === undefined || typeof data !== 'object' || data === null) return [];
  const mark: unknown = Object.entries(data).find(([name]) => name === field)?.[1];
  return typeof mark === 'string' ? [{ mark, place: `${stream}@${String(revision)}` }] : [];
}

type Sent = Readonly<{ fact: BusFact; message: CloudEvent }>;

const READ_MS_MAX = 60_000;

/** Reads the bus from its beginning, as a group of its own. */
async function allMessages(bus: Looks['bus']): Promise<readonly Sent[]> {
  const { topics } = CONSUMERS.reporting;
  const group = `faults.${String(process.pid)}-${String(Date.now())}`;
  const sent: Sent[] = [];
  const stop = new AbortController();
  const reading = bus.run({
    ...{ group, topics, signal: stop.signal },
    handle: ({ topic, partition, offset, message }) => {
      const { partitionkey: key, source, id, type, sequence } = message;
      const numbered = { offset: Number(offset), sequence: BigInt(sequence) };
      sent.push({ message, fact: { topic, partition, key, source, id, type, ...numbered } });
      return Promise.resolve();
    },
  });
  reading.catch(() => undefined);
  const end = performance.now() + READ_MS_MAX;
  while ((await bus.lag(group, topics)) > 0n && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  stop.abort();
  await reading;
  return sent;
}

async function consumerOf(
  looks: Looks,
  { service, group, topics, types }: (typeof GROUPS)[number],
) {
  const inbox = await of(looks, service).rows<ConsumerFact['inbox'][number]>(
    'SELECT source, message_id AS id FROM inbox WHERE consumer_group = $1 ORDER BY consumed_at',
    [group],
  );
  return { group, topics, types, inbox };
}

/** Reporting keeps each event; deployment opens one rollout for each authorization. */
async function effectsOf(
  looks: Looks,
  messages: readonly Sent[],
  stored: readonly StoredEvent[],
): Promise<Observations['effects']> {
  const refused = await of(looks, 'reporting').rows<{ id: string }>(
    `SELECT message ->> 'id' AS id FROM refused_messages`,
  );
  const gone = new Set(refused.map(({ id }) => id));
  const kept = await of(looks, 'reporting').rows<{ id: string }>(
    'SELECT event_id AS id FROM events',
  );
  const requestIn = (data: unknown) =>
    typeof data === 'object' && data !== null && 'requestId' in data ? String(data.requestId) : '';
  const authorized = messages.filter(({ fact }) => fact.type.includes('.RingsAuthorized.'));
  return [
    {
      of: 'the trail of reporting',
      expected: messages.map(({ fact }) => fact.id).filter((id) => !gone.has(id)),
      found: kept.map(({ id }) => id),
    },
    {
      of: 'the rollouts of deployment',
      expected: authorized.map(({ message }) => requestIn(message.data)),
      found: stored
        .filter(({ type }) => type === 'RolloutCreated')
        .map(({ data }) => requestIn(data)),
    },
  ];
}

async function rebuilt(looks: Looks): Promise<Observations['projections']> {
  const all: Observations['projections'][number][] = [];
  const { signal } = new AbortController();
  for (const { service, projection } of PROJECTIONS) {
    const { store } = looks;
    const { tables } = await rebuildProjection({
      store,
      db: of(looks, service),
      projection,
      signal,
    });
    for (const { name, differed } of tables)
      all.push({ name: projection.name, table: name, differed });
  }
  return all;
}

const HELD = `
  SELECT 'message ' || (message ->> 'id') || ' of ' || consumer_group AS what,
         coalesce(cause, 'behind another one') AS cause FROM parked_messages`;
const HELD_OUTBOX = `
  SELECT 'outbox ' || number AS what, parked_cause AS cause FROM outbox
   WHERE parked_cause IS NOT NULL`;
const HELD_EVENTS = `
  SELECT 'event ' || stream || '@' || revision AS what,
         coalesce(cause, 'behind another one') AS cause FROM parked_events`;
const REFUSED = `
  SELECT 'message ' || (message ->> 'id') || ' of ' || consumer_group AS what,
         'refused: ' || cause AS cause FROM refused_messages`;

async function parkedIn(looks: Looks): Promise<Observations['parked']> {
  const found = [...looks.databases].map(async ([name, db]) => {
    const [{ there } = { there: [] }] = await db.rows<{ there: readonly string[] }>(
      `SELECT array_agg(table_name::text) AS there FROM information_schema.tables
        WHERE table_schema = 'public'`,
    );
    const queries = [
      ...(there.includes('parked_messages') ? [HELD, REFUSED] : []),
      ...(there.includes('outbox') ? [HELD_OUTBOX] : []),
      ...(there.includes('parked_events') ? [HELD_EVENTS] : []),
    ];
    const rows = await Promise.all(
      queries.map((query) => db.rows<{ what: string; cause: string }>(query)),
    );
    return rows.flat().map(({ what, cause }) => ({ what: `${name}: ${what}`, cause }));
  });
  return (await Promise.all(found)).flat();
}
