import type { BusFact, Observations, StoredFact } from '../oracle.js';

/**
 * A product in miniature whose durable state is this and nothing else. What one statement block
 * between two steps of an actor does to it is one transaction; a crash comes between two steps.
 */
export type World = {
  commands: Observations['commands'][number][];
  events: (StoredFact & Readonly<{ mark: string }>)[];
  messages: BusFact[];
  /** What rows were written, each with an outbox row in its transaction. */
  rows: string[];
  /** Rows that wait for the relay, oldest first. */
  outbox: Omit<BusFact, 'offset'>[];
  offset: number;
  inbox: Observations['consumers'][number]['inbox'][number][];
  effects: string[];
  /** Of the publisher and of the projection: how many events they are past. */
  published: number;
  projected: number;
  /** How often each stream was written to, as the projection counts. */
  counts: Map<string, number>;
  epoch: number;
  isLeased: boolean;
  writes: Observations['writes'][number][];
  parked: Observations['parked'][number][];
  clock: bigint;
};

export const STREAM_TOPIC = 'things';
export const ROW_TOPIC = 'rows';
const GROUP = 'listener';
const SOURCE = { [STREAM_TOPIC]: '/streams', [ROW_TOPIC]: '/outbox' };

export function emptyWorld(): World {
  return {
    ...{ commands: [], events: [], messages: [], rows: [], outbox: [], inbox: [], effects: [] },
    ...{ offset: 0, published: 0, projected: 0, counts: new Map<string, number>() },
    ...{ epoch: 0, isLeased: false, writes: [], parked: [], clock: 0n },
  };
}

export function appendTo(
  world: World,
  stream: string,
  fact: Readonly<{ id: string; commandId: string; mark: string }>,
): void {
  const revision = world.events.filter((event) => event.stream === stream).length;
  world.events.push({ ...fact, stream, revision, type: 'ThingDone', digest: fact.mark });
}

export function send(world: World, message: Omit<BusFact, 'offset'>): void {
  world.messages.push({ ...message, offset: world.messages.length });
}

export function messageOf(
  topic: typeof STREAM_TOPIC | typeof ROW_TOPIC,
  key: string,
  id: string,
  sequence: number,
): Omit<BusFact, 'offset'> {
  const source = SOURCE[topic];
  return { topic, source, key, id, partition: 0, type: 'ThingDone', sequence: BigInt(sequence) };
}

/** What an observer sees of the world once its actors have come to rest. */
export function observationsOf(world: World): Observations {
  const { commands, events, messages, rows, inbox, effects, writes, parked } = world;
  const parkedIds = new Set(parked.map(({ what }) => what));
  return {
    ...{ commands, events, messages, writes, parked },
    records: events.map(({ mark, stream, revision }) => ({
      mark,
      place: `${stream}@${String(revision)}`,
    })),
    streamTopics: [STREAM_TOPIC],
    announcements: [
      {
        of: 'the rows',
        expected: rows,
        found: messages.flatMap(({ topic, id }) => (topic === ROW_TOPIC ? [id] : [])),
      },
    ],
    consumers: [{ group: GROUP, topics: [STREAM_TOPIC, ROW_TOPIC], types: null, inbox }],
    effects: [
      {
        of: GROUP,
        expected: inbox.map(({ id }) => id).filter((id) => !parkedIds.has(id)),
        found: effects,
      },
    ],
    projections: [{ name: 'counts', table: 'counts', differed: differs(world) }],
    lags: [
      { what: 'the outbox', lag: world.outbox.length },
      { what: GROUP, lag: messages.length - world.offset },
      { what: 'the publisher', lag: events.length - world.published },
      { what: 'the projection', lag: events.length - world.projected },
    ],
  };
}

function differs({ events, counts }: World): boolean {
  const again = new Map<string, number>();
  for (const { stream } of events) again.set(stream, (again.get(stream) ?? 0) + 1);
  return [...again].some(([stream, count]) => counts.get(stream) !== count);
}
