import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Decider, Message } from '@patchtrail/event-sourcing';
import {
  commandIdFrom,
  createStateCache,
  type EventStore,
  eventStoreGrants,
  eventStoreMigrations,
  type Json,
  load,
  type NewEvent,
  openPostgresEventStore,
  type Stream,
} from '@patchtrail/event-store';
import { openDatabase, provision, removePostgres, startPostgres } from '@patchtrail/postgres';
import { rolloutCodec } from '../adapters/event-store/rollout-codec.js';
import { wavePartCodec } from '../adapters/event-store/wave-part-codec.js';
import { zeroCounters } from '../domain/counters.js';
import { AT, planOf, ring } from '../domain/examples.suite.js';
import type { RolloutCommand } from '../domain/rollout-messages.js';
import { rollout } from '../domain/rollout.js';
import type { WavePartCommand } from '../domain/wave-part-messages.js';
import { wavePart } from '../domain/wave-part.js';

/** How long it takes to read and fold the longest streams that a rollout can have. */

const RUNS = 9;
const APPEND_MAX = 500;
const METADATA = {
  ...{ schemaVersion: 1, commandId: commandIdFrom('measure'), actor: 'measure', occurredAt: AT },
  ...{ $correlationId: 'measure', $causationId: 'measure' },
  traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
};

/** The events that a decider answers a series of commands with. */
function decided<S, C extends Message, E extends Message>(
  { initial, decide, evolve }: Decider<S, C, E>,
  commands: Iterable<C>,
): readonly E[] {
  let state = initial;
  const all: E[] = [];
  for (const command of commands) {
    for (const event of decide(command, state)) {
      state = evolve(state, event);
      all.push(event);
    }
  }
  return all;
}

const endpointsOf = (count: number) =>
  Array.from({ length: count }, (_, index) => commandIdFrom('endpoint', String(index)));

/** A part whose endpoints each take, start and report every attempt that they have. */
function* partCommands(count: number, attempts: number): Generator<WavePartCommand> {
  const endpoints = endpointsOf(count);
  const retry = { attemptsMax: attempts, backoffMs: 30_000 };
  yield { type: 'PlanPart', data: { rolloutId: commandIdFrom('r'), ring: 0, part: 0, endpoints } };
  yield { type: 'OpenPart', data: { epoch: 1, share: count, leaseMs: 600_000, retry } };
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    for (const endpointId of endpoints) {
      const attemptId = commandIdFrom('attempt', endpointId, String(attempt));
      yield { type: 'IssueLease', data: { endpointId, attempt, attemptId, epoch: 1, at: AT } };
      yield { type: 'ConfirmLease', data: { attemptId, endpointId, epoch: 1 } };
      yield {
        type: 'RecordOutcome',
        data: {
          ...{ attemptId, endpointId, epoch: 1, at: AT, deviceTime: AT, transient: true },
          outcome: attempt === attempts ? 'verified' : 'failed',
          ...{ class: '', detail: '', reportDigest: `sha256:${attemptId}` },
          versions: [{ package: 'tzdata', architecture: 'all', before: '1', after: '2' }],
        },
      };
      if (attempt < attempts) {
        yield { type: 'ElapseTimer', data: { timerId: `retry:${attemptId}`, generation: 1 } };
      }
    }
  }
}

/** Every ring of a plan is opened, baked and passed: six control events each. */
function* rolloutCommands(count: number): Generator<RolloutCommand> {
  const names = Array.from({ length: count }, (_, index) => `ring-${String(index)}`);
  const rolloutId = commandIdFrom('r');
  const plan = planOf(names.map((name) => ring(name)));
  const creation = { rolloutId, requestId: commandIdFrom('q'), changeDigest: 'd', plan };
  const scope = { patches: [], scope: {}, uptoRing: count - 1, at: AT };
  yield { type: 'AuthorizeRings', data: { ...creation, ...scope } };
  const rings = names.map((name) => ({ ring: name, endpointCount: 1, parts: [1] }));
  yield { type: 'FreezeCohort', data: { cohortDigest: 'c', rings, excludedCount: 0, at: AT } };
  const counters = { ...zeroCounters, planned: 1, verified: 1 };
  for (const at of names.keys()) {
    const parts = [{ ring: at, part: 0, revision: 5, counters }];
    const assessed = { ring: at, parts, failures: [], ticketId: 't', at: AT };
    yield { type: 'AssessWave', data: assessed };
    const timerId = `bake:${rolloutId}:${String(at)}`;
    yield { type: 'ElapseTimer', data: { timerId, generation: 1 } };
    yield { type: 'AssessWave', data: assessed };
  }
}

const copied = (data: object): Json => JSON.parse(JSON.stringify(data)) as Json;

async function store(to: EventStore, stream: string, events: readonly Message[]): Promise<void> {
  for (let from = 0; from < events.length; from += APPEND_MAX) {
    const batch = events.slice(from, from + APPEND_MAX).map(({ type, data }, index): NewEvent => {
      const id = commandIdFrom(stream, String(from + index));
      return { id, type, data: copied(data), metadata: METADATA };
    });
    await to.append(stream, from === 0 ? 'no-stream' : from - 1, batch);
  }
}

/** The median of some runs: elapsed, and as time of this process's processor, in milliseconds. */
async function timed(work: () => Promise<unknown>): Promise<string> {
  const elapsed: number[] = [];
  const used: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const [began, before] = [performance.now(), process.cpuUsage()];
    await work();
    const { user, system } = process.cpuUsage(before);
    elapsed.push(performance.now() - began);
    used.push((user + system) / 1_000);
  }
  return `${medianOf(elapsed)} ms, ${medianOf(used)} ms of processor time`;
}

function medianOf(values: readonly number[]): string {
  const median = values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  return median.toFixed(1);
}

async function measure<S, C extends Message, E extends Message>(
  what: string,
  stream: Stream<S, C, E>,
  category: string,
  events: readonly E[],
): Promise<void> {
  const name = `${category}-${commandIdFrom(what)}`;
  await store(stream.store, name, events);
  const cached = { ...stream, cache: createStateCache<S>() };
  await load(cached, name);
  const bytes = events.reduce((sum, event) => sum + JSON.stringify(event.data).length, 0);
  process.stdout.write(`${what}: ${String(events.length)} events, ${String(bytes)} bytes
  read from PostgreSQL, decoded and folded: ${await timed(() => load(stream, name))}
  remembered, with what is new read: ${await timed(() => load(cached, name))}
`);
}

const dataDir = await mkdtemp(join(tmpdir(), 'patchtrail-measure-'));
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const server = await startPostgres({ dataDir, choice: 'auto', log });
try {
  const spec = { database: 'event_store', role: 'services', ownsSchema: false };
  const urls = (await provision(server.adminUrl, [spec])).get('event_store');
  if (urls === undefined) throw new Error('The event store was not provisioned.');
  const migrations = eventStoreMigrations;
  const owner = await openDatabase({ url: urls.ownerUrl, applicationName: 'measure', migrations });
  await owner.run(eventStoreGrants('services'));
  await owner.close();
  const events = await openPostgresEventStore({ url: urls.url });
  const rollouts = { store: events, decider: rollout, codec: rolloutCodec };
  const parts = { store: events, decider: wavePart, codec: wavePartCodec };
  const longest = decided(rollout, rolloutCommands(15));
  // No plan leads to this many: the gate of a ring is passed again and again.
  const padded = Array.from({ length: 500 }, (_, n) => longest[Math.min(n, longest.length - 2)]);
  const padding = padded.filter((event) => event !== undefined);
  await measure('Rollout of 15 rings', rollouts, 'rollout', longest);
  await measure('Rollout of 500 events', rollouts, 'rollout', padding);
  for (const [endpoints, attempts] of [
    [500, 1],
    [500, 3],
    [10_000, 1],
  ] as const) {
    const what = `Part of ${String(endpoints)} endpoints, ${String(attempts)} attempts each`;
    const run = decided(wavePart, partCommands(endpoints, attempts));
    await measure(what, parts, 'rolloutWave', run);
  }
  await events.close();
} finally {
  await server.stop();
  await removePostgres(dataDir);
  await rm(dataDir, { recursive: true, force: true });
}
