import { randomUUID } from 'node:crypto';
import {
  createStateCache,
  type EventStore,
  handle,
  type Stream,
  WrongExpectedRevision,
} from '@patchtrail/event-store';
import {
  type Ballot,
  ballot,
  ballotCodec,
  type BallotCommand,
  type BallotEvent,
  contextOf,
  voteBy,
} from './ballot.js';
import { type Bench, ratioOf, type Sizes } from './bench.js';
import { type Measured, runSlice, type Slice, summaryOf } from './closed-loop.js';
import { withDurablePostgres } from './durable-postgres.js';
import { openRawTable, type RawEvent } from './raw-table.js';

const IN_FLIGHT = [1, 8, 32, 128] as const;
const MAIN = 32;
const COMMANDS_PER_STREAM = 50;
const RAW_CONNECTIONS = 128;

type Ballots = Stream<Ballot, BallotCommand, BallotEvent>;
/** One way to store events, measured in turn with the others. */
type Subject = { measure: () => Promise<Slice>; readonly slices: Slice[] };

/** Durable commands through `handle`, against raw inserts of the same events one at a time. */
export const append: Bench = {
  about: 'durable commands per second through handle(), against raw one-event inserts',
  run: ({ rounds = 5, sliceMs = 1_000 }: Sizes) =>
    withDurablePostgres(async ({ version, store, ownerUrl }) => {
      const raw = await openRawTable(ownerUrl, RAW_CONNECTIONS);
      try {
        const groups = await groupsOf(store, raw.insert, sliceMs);
        for (let round = -1; round < rounds; round += 1) await takeTurns(groups, round);
        return resultOf(groups, { rounds, sliceMs, postgres: version });
      } finally {
        await raw.close();
      }
    }),
};

type Groups = ReadonlyMap<string, ReadonlyMap<string, Subject>>;
type Insert = (inFlight: number, forMs: number, event: RawEvent) => Promise<Slice>;

async function groupsOf(store: EventStore, insert: Insert, sliceMs: number): Promise<Groups> {
  const event = await storedBallot(store);
  const groups = new Map<string, Map<string, Subject>>();
  for (const inFlight of IN_FLIGHT) {
    const distinct = (isCached: boolean) => () =>
      ownStreams(ballotsIn(store, isCached), inFlight, sliceMs);
    const subjects = {
      raw: () => insert(inFlight, sliceMs, event),
      cached: distinct(true),
      uncached: distinct(false),
    };
    groups.set(`${inFlight} in flight`, subjectsOf(subjects));
  }
  const together = (isCached: boolean) => () =>
    oneStream(ballotsIn(store, isCached), MAIN, sliceMs);
  const subjects = { cached: together(true), uncached: together(false) };
  return groups.set(`${MAIN} on one stream`, subjectsOf(subjects));
}

function subjectsOf(measures: Readonly<Record<string, Subject['measure']>>) {
  return new Map(
    Object.entries(measures).map(([name, measure]) => [name, { measure, slices: [] }]),
  );
}

/** The order turns from round to round, so that nobody is always first. The round -1 only warms up. */
async function takeTurns(groups: Groups, round: number): Promise<void> {
  for (const subjects of groups.values()) {
    const inOrder = [...subjects.values()];
    const first = Math.max(round, 0) % inOrder.length;
    for (const subject of [...inOrder.slice(first), ...inOrder.slice(0, first)]) {
      const slice = await subject.measure();
      if (round >= 0) subject.slices.push(slice);
    }
  }
}

function ballotsIn(store: EventStore, isCached: boolean): Ballots {
  const ballots = { store, decider: ballot, codec: ballotCodec };
  return isCached ? { ...ballots, cache: createStateCache() } : ballots;
}

/** Each worker gives its own streams one command after another. */
async function ownStreams(ballots: Ballots, inFlight: number, forMs: number): Promise<Slice> {
  const given = Array.from({ length: inFlight }, () => ({ stream: '', commands: 0 }));
  return runSlice(inFlight, forMs, async (worker) => {
    const at = given[worker];
    if (at === undefined) throw new RangeError('no such worker');
    if (at.commands % COMMANDS_PER_STREAM === 0) at.stream = `ballot-${randomUUID()}`;
    at.commands += 1;
    await handle(ballots, at.stream, voteBy(`voter ${at.commands}`), contextOf());
  });
}

/** All give their commands to one stream, and to the next when it has as many as any stream. */
async function oneStream(ballots: Ballots, inFlight: number, forMs: number): Promise<Slice> {
  let stream = '';
  let commands = 0;
  const isConflict = (error: unknown) => error instanceof WrongExpectedRevision;
  const vote = async () => {
    if (commands % COMMANDS_PER_STREAM === 0) stream = `ballot-${randomUUID()}`;
    commands += 1;
    await handle(ballots, stream, voteBy(`voter ${commands}`), contextOf());
  };
  return runSlice(inFlight, forMs, vote, isConflict);
}

/** An event as `handle` stores it, so that the raw inserts write the same bytes. */
async function storedBallot(store: EventStore): Promise<RawEvent> {
  const stream = `ballot-${randomUUID()}`;
  await handle(ballotsIn(store, false), stream, voteBy('voter 1'), contextOf());
  const [stored] = await store.read(stream);
  if (stored === undefined) throw new Error('The event is not there.');
  const { type, data, metadata } = stored;
  return { type, data: JSON.stringify(data), metadata: JSON.stringify(metadata) };
}

function resultOf(
  groups: Groups,
  conditions: { rounds: number; sliceMs: number; postgres: string },
) {
  const measured = new Map(
    [...groups].map(([group, subjects]) => [
      group,
      new Map([...subjects].map(([name, { slices }]) => [name, summaryOf(slices)])),
    ]),
  );
  const of = (group: string, name: string): Measured => {
    const found = measured.get(group)?.get(name);
    if (found === undefined) throw new Error(`${group}, ${name}: was not measured`);
    return found;
  };
  const main = `${MAIN} in flight`;
  const ratios = IN_FLIGHT.map((inFlight) => `${inFlight} in flight`).map(
    (group) => [group, ratioOf(of(group, 'cached').rate, of(group, 'raw').rate)] as const,
  );
  const [ours, limit] = [of(main, 'cached').rate, of(main, 'raw').rate];
  return {
    ...{ name: 'append', ours, limit, ratio: ratioOf(ours, limit), unit: 'commands/s' },
    detail: {
      conditions: { ...conditions, eventBytes: 540, commandsPerStream: COMMANDS_PER_STREAM },
      ratios: Object.fromEntries(ratios),
      ...Object.fromEntries(
        [...measured].map(([group, some]) => [group, Object.fromEntries(some)]),
      ),
    },
  };
}
