import type { Attempt, Outcome } from '../domain/attempt.js';
import { ExecutionFailure, type Failure, permanent } from '../domain/failure.js';
import type { Lease } from '../domain/lease.js';
import {
  deviations,
  inSequence,
  inverseOf,
  isUntouched,
  type Transaction,
  type VersionChange,
  versionChanges,
} from '../domain/transaction.js';
import type { AgentContext } from './context.js';
import { ServerRefused } from './server.js';
import { said, storable } from '../domain/said.js';

type Verdict = Omit<Outcome, 'deviceTime'>;
type Planned =
  | Readonly<{ kind: 'transaction'; transaction: Transaction }>
  | Readonly<{ kind: 'end'; verdict: Verdict }>;

function success(lease: Lease, detail: string, versions: readonly VersionChange[]): Verdict {
  const outcome = lease.kind === 'install' ? 'verified' : 'rolled-back';
  return { outcome, class: '', transient: false, detail, versions };
}

function failed(lease: Lease, failure: Failure, versions: readonly VersionChange[]): Verdict {
  const outcome = lease.kind === 'install' ? 'failed' : 'rollback-failed';
  return { outcome, ...failure, versions };
}

function asFailure(error: unknown): Failure {
  if (error instanceof ExecutionFailure) return error.failure;
  return { class: 'unknown', transient: true, detail: said(error) };
}

async function planInstall(agent: AgentContext, lease: Lease): Promise<Planned> {
  const plan = await agent.executor.planInstall(lease.patches);
  if (plan.kind === 'transaction') return plan;
  const detail = 'Every package of the patches is at its version or above.';
  const outcome = { outcome: 'already-compliant', class: '', transient: false, detail } as const;
  return { kind: 'end', verdict: { ...outcome, versions: plan.versions } };
}

/** The transactions of a rollout's installs that may have run here, oldest first. */
function startedInstalls(agent: AgentContext, rolloutId: string): readonly Transaction[] {
  return [...agent.journal.attempts().values()].flatMap(({ lease, started, transaction }) => {
    const counts = started && lease.kind === 'install' && lease.rolloutId === rolloutId;
    return counts && transaction !== null ? [transaction] : [];
  });
}

async function planRollback(agent: AgentContext, lease: Lease): Promise<Planned> {
  const undone = agent.journal.attempts().get(lease.rollbackOf ?? '');
  if (undone === undefined) {
    throw permanent('no-saved-transaction', 'The journal has no attempt that rollbackOf names.');
  }
  // An earlier attempt may have changed what the last one found done.
  const saved = inSequence(startedInstalls(agent, undone.lease.rolloutId));
  if (saved.changes.length === 0) {
    return { kind: 'end', verdict: success(lease, 'That attempt had changed nothing.', []) };
  }
  const found = await agent.executor.find(saved);
  const transaction = inverseOf(saved, found);
  if (transaction.changes.length === 0) {
    const versions = versionChanges(saved, found).map((one) => ({ ...one, before: one.after }));
    return { kind: 'end', verdict: success(lease, 'Every package is as it was.', versions) };
  }
  await agent.executor.planRollback(transaction);
  return { kind: 'transaction', transaction };
}

/** Plans and prepares; a failure here is an end, because no package has been touched. */
async function plan(agent: AgentContext, lease: Lease): Promise<Planned> {
  try {
    const planned =
      lease.kind === 'install' ? await planInstall(agent, lease) : await planRollback(agent, lease);
    if (planned.kind === 'end') return planned;
    const transaction = await agent.executor.prepare(lease, planned.transaction);
    return { kind: 'transaction', transaction };
  } catch (error) {
    return { kind: 'end', verdict: failed(lease, asFailure(error), []) };
  }
}

/** Versions, statuses, the package system's own checks and the probe; the exit status proves nothing. */
async function verdictOf(
  agent: AgentContext,
  lease: Lease,
  transaction: Transaction,
  failure: Failure | null,
): Promise<Verdict> {
  const { executor } = agent;
  const found = await executor.find(transaction);
  const versions = versionChanges(transaction, found);
  if (failure !== null) return failed(lease, failure, versions);
  const problems = [
    ...deviations(transaction, found),
    ...(await executor.audit(lease, transaction)),
  ];
  if (problems.length > 0) {
    const detail = problems.join('\n').slice(0, 1_500);
    return failed(lease, { class: 'verification', transient: false, detail }, versions);
  }
  const sick = await executor.probe();
  if (sick !== null) {
    return failed(lease, { class: 'probe-failed', transient: false, detail: sick }, versions);
  }
  return success(lease, '', versions);
}

/** As many as a report may hold. */
const VERSIONS_MAX = 500;

/** A report in a form that the server refuses would count as silence. */
function reportable(verdict: Verdict): Verdict {
  const { length } = verdict.versions;
  const detail = storable(verdict.detail);
  if (length <= VERSIONS_MAX) return { ...verdict, detail };
  const cut = `${VERSIONS_MAX} of ${length} changes are listed.`;
  const versions = verdict.versions.slice(0, VERSIONS_MAX);
  return { ...verdict, detail: `${detail} ${cut}`.trim(), versions };
}

async function finish(agent: AgentContext, lease: Lease, verdict: Verdict): Promise<void> {
  const outcome = { ...reportable(verdict), deviceTime: agent.now().toISOString() };
  agent.log('attempt-finished', {
    attemptId: lease.attemptId,
    outcome: outcome.outcome,
    class: outcome.class,
  });
  await agent.journal.append({ type: 'finished', attemptId: lease.attemptId, outcome });
}

/**
 * Asks whether the lease still holds, last thing before the start: a halt may have recalled it.
 * A server that was told of a start before a crash waits for an outcome, and gets one.
 */
async function confirmed(agent: AgentContext, lease: Lease): Promise<boolean> {
  const { attemptId, epoch } = lease;
  const toldBefore = agent.journal.attempts().get(attemptId)?.confirmed === true;
  try {
    await agent.server.confirm(attemptId, epoch);
  } catch (error) {
    if (!(error instanceof ServerRefused)) throw error;
    agent.log('lease-dropped', { attemptId, reason: error.message });
    if (toldBefore) {
      const detail = `Recalled before anything was changed: ${error.message}`;
      const failure = { class: 'recalled', transient: false, detail } as const;
      await finish(agent, lease, failed(lease, failure, []));
    } else {
      await agent.journal.append({ type: 'dropped', attemptId, reason: error.message });
    }
    return false;
  }
  await agent.journal.append({ type: 'confirmed', attemptId });
  return true;
}

/** Carries out a lease of which nothing has been started. Returns early when told to stop. */
export async function runAttempt(agent: AgentContext, lease: Lease): Promise<void> {
  const { attemptId } = lease;
  const planned = await plan(agent, lease);
  if (planned.kind === 'transaction') {
    const { transaction } = planned;
    await agent.journal.append({ type: 'simulated', attemptId, transaction });
  }
  if (agent.signal.aborted) return;
  if (!(await confirmed(agent, lease))) return;
  if (planned.kind === 'end') {
    await finish(agent, lease, planned.verdict);
    return;
  }
  const { transaction } = planned;
  await agent.journal.append({ type: 'started', attemptId });
  agent.log('attempt-started', { attemptId, kind: lease.kind });
  const failure = await agent.executor.apply(lease, transaction);
  await finish(agent, lease, await verdictOf(agent, lease, transaction, failure));
}

/**
 * Ends an attempt whose run a crash cut off. The package system is repaired, not run again:
 * the outcome is what the repaired state shows.
 */
export async function reconcile(agent: AgentContext, attempt: Attempt): Promise<void> {
  const { lease, transaction } = attempt;
  if (transaction === null) throw new Error(`${lease.attemptId} was started without a plan.`);
  agent.log('attempt-reconciling', { attemptId: lease.attemptId });
  const failure = await agent.executor.settle(lease, transaction);
  const found = await agent.executor.find(transaction);
  const missing = deviations(transaction, found);
  if (missing.length === 0) {
    await finish(agent, lease, await verdictOf(agent, lease, transaction, null));
    return;
  }
  const detail = isUntouched(transaction, found)
    ? 'The agent was interrupted before the package system changed anything.'
    : `The run was interrupted: ${missing.join(' ')}`;
  const interrupted = { class: 'interrupted', transient: true, detail } as const;
  const verdict = failed(lease, failure ?? interrupted, versionChanges(transaction, found));
  await finish(agent, lease, verdict);
}
