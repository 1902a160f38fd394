import { type Attempt, openAttempt } from '../domain/attempt.js';
import type { Lease } from '../domain/lease.js';
import type { AgentContext } from './context.js';
import { reconcile, runAttempt } from './run-attempt.js';
import { ServerRefused, ServerUnavailable } from './server.js';

const REPORT_TRIES_MAX = 4;
const REPORT_BACKOFF_MS = 100;

async function send(agent: AgentContext, attempt: Attempt): Promise<'ended' | 'again'> {
  const { lease, outcome } = attempt;
  if (outcome === null) throw new Error(`${lease.attemptId} has no outcome.`);
  let refusal: string | null = null;
  try {
    await agent.server.report(lease.attemptId, lease.epoch, outcome);
  } catch (error) {
    if (error instanceof ServerUnavailable) {
      agent.log('report-unacknowledged', { attemptId: lease.attemptId, reason: error.message });
      return 'again';
    }
    if (!(error instanceof ServerRefused)) throw error;
    refusal = error.message;
    agent.log('report-refused', { attemptId: lease.attemptId, reason: refusal });
  }
  if (attempt.state !== 'reported') {
    await agent.journal.append({ type: 'reported', attemptId: lease.attemptId, refusal });
  }
  return 'ended';
}

/** Reports until the server acknowledges or refuses; what is not settled stays for the next cycle. */
async function report(agent: AgentContext, attempt: Attempt): Promise<void> {
  for (let tries = 1; tries <= REPORT_TRIES_MAX; tries += 1) {
    if ((await send(agent, attempt)) === 'ended') return;
    if (agent.signal.aborted) return;
    await agent.pause(REPORT_BACKOFF_MS * 2 ** tries);
  }
}

async function advance(agent: AgentContext, attempt: Attempt): Promise<void> {
  if (attempt.state === 'started') await reconcile(agent, attempt);
  else if (attempt.state !== 'finished') await runAttempt(agent, attempt.lease);
  const { attemptId } = attempt.lease;
  const now = agent.journal.attempts().get(attemptId);
  if (now?.state === 'finished') await report(agent, now);
}

/** While an outcome waits for its acknowledgement the server is told so; a second lease is refused. */
async function refuseSecond(agent: AgentContext, open: Attempt): Promise<void> {
  const { attemptId } = open.lease;
  const second = await agent.server.lease(attemptId);
  if (second === null || second.attemptId === attemptId) return;
  agent.log('lease-refused', { attemptId: second.attemptId, reason: `busy with ${attemptId}` });
}

async function accept(agent: AgentContext, lease: Lease): Promise<boolean> {
  if (lease.endpointId !== agent.endpointId) {
    const reason = `endpointId is ${lease.endpointId}; this endpoint is ${agent.endpointId}`;
    agent.log('lease-refused', { attemptId: lease.attemptId, reason });
    return false;
  }
  const known = agent.journal.attempts().get(lease.attemptId);
  if (known !== undefined && known.outcome !== null) {
    // Offered again because its report was lost: what was done once is only told once more.
    agent.log('lease-known', { attemptId: lease.attemptId });
    await report(agent, known);
    return false;
  }
  await agent.journal.append({ type: 'received', attemptId: lease.attemptId, lease });
  await runAttempt(agent, lease);
  const finished = agent.journal.attempts().get(lease.attemptId);
  if (finished?.state === 'finished') await report(agent, finished);
  return true;
}

/** One round: ends what is open, else asks for a lease and carries it out. Answers whether it had work. */
export async function runCycle(agent: AgentContext): Promise<boolean> {
  const open = openAttempt(agent.journal.attempts());
  if (open !== null) {
    await advance(agent, open);
    const still = openAttempt(agent.journal.attempts());
    if (still === null) return true;
    if (!agent.signal.aborted) await refuseSecond(agent, still);
    return false;
  }
  const lease = await agent.server.lease(null);
  return lease === null ? false : accept(agent, lease);
}
