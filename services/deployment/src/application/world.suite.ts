import assert from 'node:assert/strict';
import { type EndpointAttributes, digestOf } from '@patchtrail/contracts';
import { DomainError } from '@patchtrail/event-sourcing';
import {
  type CommandContext,
  commandIdFrom,
  createKeyedQueue,
  createMemoryEventStore,
  load,
  type StoredEvent,
  WrongExpectedRevision,
} from '@patchtrail/event-store';
import { rolloutCodec } from '../adapters/event-store/rollout-codec.js';
import { wavePartCodec } from '../adapters/event-store/wave-part-codec.js';
import type { Plan } from '../domain/plan.js';
import { get } from '../domain/table.js';
import { createAudit } from './audit.suite.js';
import { authorizeRings } from './authorize-rings.js';
import type { CohortDraft } from './cohort.js';
import { drive } from './drive.js';
import type { DriverDeps } from './driver.js';
import { elapseTimer } from './elapse-timer.js';
import { createInterleaver, randomFrom } from './interleaver.suite.js';
import type { AgentDeps } from './lease-ports.js';
import { parsePartStream, PART_PREFIX } from './names.js';
import { offerLease } from './offer-lease.js';
import { cancelRollout, haltRollout, requestRollback } from './operate.js';
import type { LeaseOffer, RefusedReport } from './ports.js';
import { confirmLease, type OutcomeReport, recordOutcome } from './report.js';
import { createStreams } from './streams.js';

const START = Date.parse('2026-11-21T09:00:00.000Z');
export const PATCH = {
  patchId: commandIdFrom('patch'),
  revision: 1,
  contentDigest: `sha256:${'a'.repeat(64)}`,
};

function endpointIdOf(index: number): string {
  return commandIdFrom('endpoint', String(index));
}

export function attributesOf(ring: string): EndpointAttributes {
  return {
    hostname: 'host',
    platform: { os: 'debian', release: '13', codename: 'trixie', architecture: 'amd64' },
    department: 'Finance',
    location: '',
    deviceType: '',
    environment: 'production',
    businessImpact: 'low',
    exposure: 'none',
    owner: '',
    timeZone: 'Etc/UTC',
    hardwareModel: 'm1',
    labels: { ring },
  };
}

type Agent = { lease: LeaseOffer | null; confirmed: boolean; lastReport: OutcomeReport | null };
type Timer = { timerId: string; stream: string; generation: number; dueAt: string };

/**
 * The real deciders and use cases over the memory store: two replicas that serve agents, a driver
 * that may be late, repeated or out of order, a clock that only moves when told to.
 */
export function createWorld(o: {
  plan: Plan;
  ringsOf: readonly string[];
  seed: number;
  partSize: number;
}) {
  let clock = START;
  let commands = 0;
  const random = randomFrom(o.seed);
  const memory = createMemoryEventStore({ now: () => new Date(clock) });
  const { store, run } = createInterleaver(memory, random);
  const audit = createAudit();
  const events: StoredEvent[] = [];
  const pending: StoredEvent[] = [];
  const timers: Timer[] = [];
  const refused: RefusedReport[] = [];
  const drafts = new Map<string, CohortDraft>();
  const locks = createKeyedQueue();
  const agents: Agent[] = o.ringsOf.map(() => ({
    lease: null,
    confirmed: false,
    lastReport: null,
  }));
  const rolloutIds: string[] = [];
  const codecs = { rollout: rolloutCodec, wavePart: wavePartCodec };
  const direct = createStreams(memory, codecs);

  const context = (actor = 'test'): CommandContext => {
    commands += 1;
    const commandId = commandIdFrom('world', String(o.seed), String(commands));
    const at = new Date(clock).toISOString();
    const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;
    return { commandId, correlationId: commandId, causationId: commandId, actor, at, traceparent };
  };

  const partStreams = () => [
    ...new Set(events.map(({ stream }) => stream).filter((name) => name.startsWith(PART_PREFIX))),
  ];
  const openParts = async (endpointId: string) => {
    const open: string[] = [];
    for (const stream of partStreams()) {
      const { state } = await load(direct.parts, stream);
      if (state.status === 'absent') continue;
      const endpoint = get(state.endpoints, endpointId);
      if (endpoint !== undefined && endpoint.progress !== 'ended') open.push(stream);
    }
    return open;
  };
  /** As from a projection that is at times behind. */
  const partOfAttempt = async (attemptId: string) => {
    if (random(4) === 0) return null;
    for (const stream of partStreams()) {
      const { state } = await load(direct.parts, stream);
      if (state.status !== 'absent' && get(state.attempts, attemptId) !== undefined) return stream;
    }
    return null;
  };
  const patches = () =>
    Promise.resolve([
      { patchId: PATCH.patchId, sourcePackage: 'tzdata', sourceVersion: '2', artifacts: [] },
    ]);

  const replica = (): AgentDeps => ({
    streams: createStreams(store, codecs),
    queue: createKeyedQueue(),
    membership: {
      alone: (endpointId, work) =>
        locks(endpointId, async () =>
          work({ parts: await openParts(endpointId), patches, leaseIn: () => Promise.resolve() }),
        ),
      openParts,
      partOfAttempt,
    },
    refused: {
      record: (report) => {
        refused.push(report);
        return Promise.resolve();
      },
    },
  });
  const replicas = [replica(), replica()];
  const replicaAt = (index: number): AgentDeps => {
    const found = replicas[index % replicas.length];
    assert.ok(found);
    return found;
  };

  const driver: DriverDeps = {
    streams: createStreams(store, codecs),
    fleet: {
      groups: () => Promise.resolve(new Map()),
      needing: () =>
        Promise.resolve(
          o.ringsOf.map((ring, index) => ({
            endpointId: endpointIdOf(index),
            attributes: attributesOf(ring),
          })),
        ),
    },
    drafts: {
      keep: (id, draft) => {
        if (!drafts.has(id)) drafts.set(id, draft);
        return Promise.resolve(drafts.get(id) ?? draft);
      },
      drop: (id) => {
        drafts.delete(id);
        return Promise.resolve();
      },
      find: (id) => Promise.resolve(drafts.get(id) ?? null),
    },
    fleetSettled: () => Promise.resolve(),
    partSize: o.partSize,
    now: () => new Date(clock),
  };

  /** Takes over what has been appended since: books, reactions to come, timers. */
  const observe = async () => {
    const stop = new AbortController();
    const after = events.at(-1)?.position ?? null;
    for await (const item of memory.subscribe({ after, prefixes: [], signal: stop.signal })) {
      if (item.kind === 'caught-up') break;
      events.push(item.event);
      pending.push(item.event);
      audit.see(item.event);
      if (item.event.type !== 'TimerScheduled') continue;
      const codec = parsePartStream(item.event.stream) === null ? rolloutCodec : wavePartCodec;
      const timer = codec.decode(item.event);
      if (timer.type === 'TimerScheduled')
        timers.push({ ...timer.data, stream: item.event.stream });
    }
    stop.abort();
  };

  /** Refusals are answers here; anything else fails the property. */
  const answered = async (work: () => Promise<unknown>): Promise<string> => {
    try {
      await work();
      return 'ok';
    } catch (error) {
      if (error instanceof DomainError) return error.code;
      if (error instanceof WrongExpectedRevision) return 'conflict';
      throw error;
    }
  };

  const react = async (event: StoredEvent) => {
    const answer = await answered(() => drive(driver, event));
    // As the runner of reactions does: what cannot be done yet comes again.
    if (answer !== 'ok') pending.push(event);
  };

  const agentAt = (index: number): [string, Agent] => {
    const at = index % agents.length;
    const agent = agents[at];
    assert.ok(agent);
    return [endpointIdOf(at), agent];
  };

  const reportOf = (lease: LeaseOffer, outcome: number, detail = ''): OutcomeReport => {
    const { attemptId, endpointId, epoch, kind } = lease;
    const choices =
      kind === 'install'
        ? (['verified', 'failed', 'already-compliant', 'failed', 'verified'] as const)
        : (['rolled-back', 'rollback-failed', 'rolled-back', 'rollback-failed'] as const);
    const chosen = choices[outcome % choices.length] ?? 'failed';
    return {
      ...{ attemptId, endpointId, epoch, outcome: chosen },
      class: chosen.endsWith('failed') ? 'maintainer-script' : '',
      transient: outcome % choices.length === 3,
      detail,
      versions: [],
      deviceTime: new Date(clock).toISOString(),
    };
  };

  const actions = {
    poll: async (index: number, by: number) => {
      const [endpointId, agent] = agentAt(index);
      const halts = rolloutIds.map((id) => [id, audit.haltEpochOf(id)] as const);
      const lease = await offerLease(replicaAt(by), endpointId, null, context(endpointId));
      for (const [id, haltEpoch] of halts) {
        if (lease?.rolloutId !== id || haltEpoch === null || agent.confirmed) continue;
        assert.ok(lease.epoch >= haltEpoch, 'a lease of an old epoch is offered after the halt');
      }
      if (lease?.attemptId !== agent.lease?.attemptId) agent.confirmed = false;
      agent.lease = lease;
    },
    confirm: async (index: number, by: number) => {
      const [, agent] = agentAt(index);
      const { lease } = agent;
      if (lease === null) return;
      const { attemptId, endpointId, epoch } = lease;
      const haltEpoch = audit.haltEpochOf(lease.rolloutId);
      const halted = haltEpoch !== null && epoch < haltEpoch;
      const confirmation = { attemptId, endpointId, epoch };
      const answer = await answered(() =>
        confirmLease(replicaAt(by), confirmation, context(endpointId)),
      );
      if (halted) assert.notEqual(answer, 'ok', 'an old epoch starts after the halt');
      if (answer === 'ok') agent.confirmed = true;
    },
    report: async (index: number, by: number, outcome: number, detail = '') => {
      const [endpointId, agent] = agentAt(index);
      if (agent.lease === null) return;
      const report = reportOf(agent.lease, outcome, detail);
      agent.lastReport = report;
      await answered(() => recordOutcome(replicaAt(by), report, context(endpointId)));
    },
    repeat: async (index: number, by: number) => {
      const [endpointId, { lastReport }] = agentAt(index);
      if (lastReport === null) return;
      await answered(() => recordOutcome(replicaAt(by), lastReport, context(endpointId)));
    },
    forge: async (index: number, by: number) => {
      const [endpointId] = agentAt(index + 1);
      const [, { lease }] = agentAt(index);
      if (lease === null || agents.length < 2) return;
      const report = { ...reportOf(lease, 0), endpointId };
      const answer = await answered(() =>
        recordOutcome(replicaAt(by), report, context(endpointId)),
      );
      assert.notEqual(answer, 'ok', 'a report for another endpoint counts');
    },
    drive: async (which: number) => {
      const [event] = pending.splice(which % Math.max(1, pending.length), 1);
      if (event !== undefined) await react(event);
    },
    driveAgain: async (which: number) => {
      const event = events[which % Math.max(1, events.length)];
      if (event !== undefined) await answered(() => drive(driver, event));
    },
    fire: async (which: number) => {
      const timer = timers[which % Math.max(1, timers.length)];
      if (timer === undefined) return;
      clock = Math.max(clock, Date.parse(timer.dueAt));
      const commandId = commandIdFrom('timer', timer.timerId, String(timer.generation));
      await answered(() => elapseTimer(driver.streams, timer, { ...context(), commandId }));
    },
    operate: async (which: number, operation: typeof haltRollout) => {
      const rolloutId = rolloutIds[which % Math.max(1, rolloutIds.length)];
      if (rolloutId === undefined) return;
      const asked = { rolloutId, reason: 'test', precondition: '*' } as const;
      await answered(() => operation(driver.streams, asked, context('operator')));
    },
  };

  const authorize = async (requestId: string, uptoRing: number) => {
    const change = { patches: [PATCH], scope: {}, plan: o.plan };
    const data = { requestId, change, changeDigest: digestOf(change), uptoRing };
    const rolloutId = await authorizeRings(direct, data, context());
    if (!rolloutIds.includes(rolloutId)) rolloutIds.push(rolloutId);
    await observe();
  };

  const together = async (work: readonly (() => Promise<void>)[]) => {
    await run(work);
    await observe();
  };

  /** Reacts in order to what has happened. */
  const reactInOrder = async () => {
    for (let event = pending.shift(); event !== undefined; event = pending.shift()) {
      const next = event;
      await together([() => react(next)]);
    }
  };

  /** Reacts in order and fires every timer until nothing is left to do. */
  const exhaust = async () => {
    for (let round = 0; round < 10_000; round += 1) {
      await reactInOrder();
      const due = timers.toSorted((a, b) => a.dueAt.localeCompare(b.dueAt)).at(0);
      if (due === undefined) return;
      await together([() => actions.fire(timers.indexOf(due))]);
      timers.splice(timers.indexOf(due), 1);
    }
    assert.fail('the world does not come to rest');
  };

  return {
    ...{ actions, agents, audit, authorize, exhaust, together, events, refused, pending, timers },
    ...{ direct, rolloutIds, react: reactInOrder, contextOf: context },
    operations: { halt: haltRollout, rollback: requestRollback, cancel: cancelRollout },
  };
}
export type World = ReturnType<typeof createWorld>;
