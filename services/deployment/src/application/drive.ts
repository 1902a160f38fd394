import { commandIdFrom, type StoredEvent } from '@patchtrail/event-store';
import { hasExpired, hasPlannedRollback } from '../domain/wave-part.js';
import type { Kind } from '../domain/wave-part-messages.js';
import {
  type Cause,
  causeOf,
  type DriverDeps,
  readCreated,
  tellPart,
  tellPartUntil,
  tellRollout,
} from './driver.js';
import { freezeCohort } from './freeze-cohort.js';
import { haltParts } from './halt-parts.js';
import { failuresOf, partCountsOf, partNamesOf, readParts, touchedCountOf } from './part-counts.js';
import { parsePartStream } from './names.js';

type Step = (deps: DriverDeps, cause: Cause) => Promise<void>;

/** What the process manager does when something has happened; everything else needs nothing. */
const STEPS: ReadonlyMap<string, Step> = new Map<string, Step>([
  ['RolloutCreated', freezeCohort],
  ['CohortFrozen', endPlanning],
  ['WaveOpened', openParts],
  ['WaveDeadlinePassed', (deps, cause) => expireParts(deps, cause, 'install')],
  ['BakeElapsed', assess],
  ['HaltRequested', haltParts],
  ['HaltAcknowledged', assess],
  ['RollbackRequested', assess],
  ['RollbackStarted', startRollbacks],
  ['RollbackDeadlinePassed', endRollbacks],
  ['OutcomesRecorded', assess],
  ['LeasesExpired', assess],
  ['RollbacksRecorded', assess],
]);

/** Reacts to one event of a rollout or of one of its parts. Safe to repeat at any time. */
export async function drive(deps: DriverDeps, event: StoredEvent): Promise<void> {
  const cause = causeOf(event);
  if (cause !== null) await STEPS.get(event.type)?.(deps, cause);
}

async function endPlanning(deps: DriverDeps, cause: Cause): Promise<void> {
  // The streams hold the cohort now.
  await deps.drafts.drop(cause.rolloutId);
  await haltParts(deps, cause);
}

async function openParts(deps: DriverDeps, cause: Cause): Promise<void> {
  const rollout = await readCreated(deps, cause);
  const opened = deps.streams.rollouts.codec.decode(cause.event);
  if (opened.type !== 'WaveOpened') return;
  const { ring, epoch, parts } = opened.data;
  const { leaseMs, retry } = rollout.plan;
  for (const { part, share } of parts) {
    const data = { epoch, share, leaseMs, retry };
    const name = { rolloutId: cause.rolloutId, ring, part };
    await tellPart(deps, cause, name, { type: 'OpenPart', data });
  }
}

async function expireParts(deps: DriverDeps, cause: Cause, kind: Kind): Promise<void> {
  const rollout = await readCreated(deps, cause);
  const passed = deps.streams.rollouts.codec.decode(cause.event);
  const ring = passed.type === 'WaveDeadlinePassed' ? passed.data.ring : undefined;
  for (const name of partNamesOf(rollout, ring)) {
    const command = { type: 'ExpirePart', data: { kind } } as const;
    await tellPartUntil(deps, cause, name, command, (part) => hasExpired(part, kind));
  }
}

async function startRollbacks(deps: DriverDeps, cause: Cause): Promise<void> {
  const rollout = await readCreated(deps, cause);
  for (const name of partNamesOf(rollout)) {
    const command = { type: 'StartRollback', data: { epoch: rollout.epoch } } as const;
    await tellPartUntil(deps, cause, name, command, hasPlannedRollback);
  }
}

async function endRollbacks(deps: DriverDeps, cause: Cause): Promise<void> {
  // What has not been planned cannot expire, should the deadline overtake the start.
  await startRollbacks(deps, cause);
  await expireParts(deps, cause, 'rollback');
}

/** Puts fresh counters before the rollout, which decides whether anything follows from them. */
async function assess(deps: DriverDeps, cause: Cause): Promise<void> {
  const rollout = await readCreated(deps, cause);
  const at = deps.now().toISOString();
  if (rollout.status === 'running') {
    const ring = parsePartStream(cause.event.stream)?.ring ?? undecidedRing(rollout.waves);
    const states = await readParts(deps.streams, partNamesOf(rollout, ring));
    const failures = failuresOf(states, ({ installed }) => {
      return installed === 'failed' || installed === 'timed-out';
    });
    const ticketId = commandIdFrom('ticket', cause.rolloutId, 'halt');
    const data = { ring, parts: partCountsOf(states), failures, ticketId, at };
    await tellRollout(deps, cause, { type: 'AssessWave', data });
  }
  if (rollout.status === 'halted' || rollout.status === 'rolling-back') {
    const states = await readParts(deps.streams, partNamesOf(rollout));
    const failures = failuresOf(states, ({ rolledBack }) => rolledBack === 'rollback-failed');
    const ticketId = commandIdFrom('ticket', cause.rolloutId, 'rollback');
    const touchedCount = touchedCountOf(states);
    const data = { parts: partCountsOf(states), touchedCount, failures, ticketId, at };
    await tellRollout(deps, cause, { type: 'AssessHalt', data });
  }
}

function undecidedRing(waves: readonly { phase: string }[]): number {
  return waves.findIndex(({ phase }) => phase !== 'passed');
}
