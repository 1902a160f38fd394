import { fold, type Decider, type Message } from '@patchtrail/event-sourcing';
import { type Codec, eventsFrom, type Position, type StoredEvent } from '@patchtrail/event-store';
import { type Counters, sumCounters } from '../domain/counters.js';
import type { RolloutEvent } from '../domain/rollout-messages.js';
import { isWaiting } from '../domain/rollout.js';
import type { CreatedRollout } from '../domain/rollout-state.js';
import { entriesOf, get } from '../domain/table.js';
import { countersOf, stateNameOf, type WavePart } from '../domain/wave-part-state.js';
import { partStream, rolloutStream } from './names.js';
import { partNamesOf } from './part-counts.js';
import type { Streams } from './ports.js';

export const VIEWED_ENDPOINTS_MAX = 5_000;

type Happened<E> = Readonly<{ event: E; at: string }>;
type Past<S, E> = Readonly<{
  state: S;
  revision: number;
  position: Position | null;
  happened: readonly Happened<E>[];
}>;

/** A rollout as it is, or was, folded from its streams and nothing else; `null` if there was none. */
export async function viewRollout(
  { rollouts, parts }: Streams,
  rolloutId: string,
  asOf: string | undefined,
) {
  const rollout = await readPast(rollouts, rolloutStream(rolloutId), asOf);
  if (rollout.state.status === 'absent') return null;
  const members: Member[] = [];
  let position = rollout.position;
  for (const name of partNamesOf(rollout.state)) {
    const part = await readPast(parts, partStream(name), asOf);
    members.push({ ring: name.ring, part: name.part, revision: part.revision, state: part.state });
    position = newerOf(parts.store, position, part.position);
  }
  const { revision, happened } = rollout;
  const view = viewOf(rollout.state, happened, members);
  return { revision, position, view, isCut: view.totals.planned > VIEWED_ENDPOINTS_MAX };
}

type Member = Readonly<{ ring: number; part: number; revision: number; state: WavePart }>;

function newerOf(
  store: { comparePositions: (a: Position, b: Position) => number },
  a: Position | null,
  b: Position | null,
): Position | null {
  if (a === null || b === null) return a ?? b;
  return store.comparePositions(a, b) >= 0 ? a : b;
}

/** Folds until the first event recorded after the instant, as `load` does, and keeps the events. */
async function readPast<S, C extends Message, E extends Message>(
  stream: {
    store: Streams['rollouts']['store'];
    decider: Decider<S, C, E>;
    codec: Codec<E>;
  },
  name: string,
  asOf: string | undefined,
): Promise<Past<S, E>> {
  const until = asOf === undefined ? Infinity : Date.parse(asOf);
  const stored: StoredEvent[] = [];
  for await (const event of eventsFrom(stream.store, name, 0)) {
    if (Date.parse(event.recordedAt) > until) break;
    stored.push(event);
  }
  const happened = stored.map((one) => ({
    event: stream.codec.decode(one),
    at: one.metadata.occurredAt,
  }));
  const state = fold(
    stream.decider,
    happened.map(({ event }) => event),
  );
  const position = stored.at(-1)?.position ?? null;
  return { state, revision: stored.length - 1, position, happened };
}

function viewOf(
  rollout: CreatedRollout,
  happened: readonly Happened<RolloutEvent>[],
  members: readonly Member[],
) {
  const { rolloutId, requestId, changeDigest, plan, patches, uptoRing, epoch } = rollout;
  const { scope, reach } = rollout;
  const rings = plan.rings.map((_, ring) => ringView(rollout, happened, members, ring));
  return {
    ...{ rolloutId, requestId, changeDigest, plan, patches, scope, uptoRing, epoch },
    ...(reach === undefined ? {} : { reach }),
    status: rollout.outcome ?? rollout.status,
    isWaitingForAuthorization: isWaiting(rollout),
    createdAt: happened[0]?.at ?? null,
    cohort: rollout.cohort && {
      digest: rollout.cohort.digest,
      excludedCount: rollout.cohort.excludedCount,
    },
    halt: haltView(happened),
    rollback: rollbackView(rollout, happened),
    tickets: happened.flatMap(({ event, at }) =>
      event.type === 'FailureTicketRaised' ? [{ ...event.data, at }] : [],
    ),
    closed: closingView(happened),
    totals: sumCounters(rings.map(({ counters }) => counters)),
    rings,
    endpoints: endpointViews(plan.rings, members),
  };
}

function ringView(
  rollout: CreatedRollout,
  happened: readonly Happened<RolloutEvent>[],
  members: readonly Member[],
  order: number,
) {
  const parts = members.filter(({ ring }) => ring === order);
  const counters: Counters = sumCounters(parts.map(({ state }) => countersOf(state)));
  const opened = happened.find(isOfRing('WaveOpened', order));
  const gate = happened.findLast(isOfRing('GateEvaluated', order));
  return {
    ring: rollout.plan.rings[order]?.name ?? '',
    order,
    phase: rollout.waves[order]?.phase ?? 'pending',
    opened: opened && openedView(opened),
    counters,
    states: statesOf(parts),
    gate: gate && gateView(gate),
    parts: parts.map(({ part, revision }) => ({ part, revision })),
  };
}

function isOfRing(type: RolloutEvent['type'], order: number) {
  return ({ event }: Happened<RolloutEvent>) =>
    event.type === type && 'ring' in event.data && event.data.ring === order;
}

function openedView({ event, at }: Happened<RolloutEvent>) {
  if (event.type !== 'WaveOpened') return undefined;
  const { cap, epoch, deadlineAt } = event.data;
  return { at, cap, epoch, deadlineAt };
}

function gateView({ event, at }: Happened<RolloutEvent>) {
  if (event.type !== 'GateEvaluated') return undefined;
  const { verdict, reason, inputs, parts } = event.data;
  return { at, verdict, reason, inputs, parts };
}

function haltView(happened: readonly Happened<RolloutEvent>[]) {
  const asked = happened.find(({ event }) => event.type === 'HaltRequested');
  if (asked?.event.type !== 'HaltRequested') return null;
  const acknowledged = happened.find(({ event }) => event.type === 'HaltAcknowledged');
  const recalledCount =
    acknowledged?.event.type === 'HaltAcknowledged' ? acknowledged.event.data.recalledCount : null;
  const acknowledgedAt = acknowledged?.at ?? null;
  return { ...asked.event.data, at: asked.at, acknowledgedAt, recalledCount };
}

function rollbackView(rollout: CreatedRollout, happened: readonly Happened<RolloutEvent>[]) {
  if (rollout.rollbackBy === null) return null;
  const started = happened.find(({ event }) => event.type === 'RollbackStarted');
  if (started?.event.type !== 'RollbackStarted') {
    return { by: rollout.rollbackBy, startedAt: null, endpointCount: null, deadlineAt: null };
  }
  const { by, endpointCount, deadlineAt } = started.event.data;
  return { by, startedAt: started.at, endpointCount, deadlineAt };
}

function closingView(happened: readonly Happened<RolloutEvent>[]) {
  const closed = happened.findLast(({ event }) => event.type === 'RolloutClosed');
  return closed?.event.type === 'RolloutClosed' ? { ...closed.event.data, at: closed.at } : null;
}

function statesOf(parts: readonly Member[]): Readonly<Record<string, number>> {
  const states: Record<string, number> = {};
  for (const { state } of parts) {
    if (state.status === 'absent') continue;
    for (const [, endpoint] of entriesOf(state.endpoints)) {
      const name = stateNameOf(endpoint);
      states[name] = (states[name] ?? 0) + 1;
    }
  }
  return states;
}

function endpointViews(rings: readonly { name: string }[], members: readonly Member[]) {
  return members
    .flatMap(({ ring, state }) => {
      if (state.status === 'absent') return [];
      return [...entriesOf(state.endpoints)].map(([endpointId, endpoint]) => {
        const { class: reason, detail, attempts, attemptId } = endpoint;
        const lease = get(state.attempts, attemptId ?? '')?.lease;
        return {
          endpointId,
          ring: rings[ring]?.name ?? '',
          state: stateNameOf(endpoint),
          ...{ class: reason, detail, attempts, attemptId },
          leaseExpiresAt: lease?.leaseExpiresAt ?? null,
        };
      });
    })
    .toSorted((a, b) => (a.endpointId < b.endpointId ? -1 : 1))
    .slice(0, VIEWED_ENDPOINTS_MAX);
}
