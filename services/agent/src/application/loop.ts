import type { AgentContext } from './context.js';
import { runCycle } from './cycle.js';
import { said } from '../domain/said.js';

export type LoopPace = Readonly<{ pollMs: number; inventoryMs: number }>;

const BACKOFF_MS_MAX = 60_000;
const DOUBLINGS_MAX = 4;

/** Spread by a fifth, so that a fleet does not come back to a restarted server all at once. */
function pauseMs(pollMs: number, failures: number): number {
  const longer = pollMs * 2 ** Math.min(failures, DOUBLINGS_MAX);
  const bounded = Math.min(longer, Math.max(BACKOFF_MS_MAX, pollMs));
  return bounded * (0.8 + 0.4 * Math.random());
}

/** Does a part of a round; `null` when it failed. */
async function tried<T>(agent: AgentContext, work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    agent.log('round-failed', { reason: said(error) });
    return null;
  }
}

/**
 * Leases and inventories until the signal. A round that fails is logged and followed by a longer
 * pause; nothing ends the loop but the signal.
 */
export async function runLoop(
  agent: AgentContext,
  pace: LoopPace,
  inventory: () => Promise<boolean>,
): Promise<void> {
  let inventoriedAt: number | null = null;
  let failures = 0;
  const stopped = () => agent.signal.aborted;
  const isDue = () => {
    if (inventoriedAt === null) return true;
    const sinceMs = agent.now().getTime() - inventoriedAt;
    // A clock that was set back says nothing of how long it has been.
    return sinceMs < 0 || sinceMs >= pace.inventoryMs;
  };
  while (!stopped()) {
    // Where no inventory can be taken there may be something to roll back, or an end to report.
    const inventoried = await tried(agent, async () => {
      if (isDue() && (await inventory())) inventoriedAt = agent.now().getTime();
      return true;
    });
    const busy = stopped() ? false : await tried(agent, () => runCycle(agent));
    if (busy === true) inventoriedAt = null;
    failures = inventoried === null || busy === null ? failures + 1 : 0;
    if (busy !== true) await agent.pause(pauseMs(pace.pollMs, failures));
  }
}
