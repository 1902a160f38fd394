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

/**
 * Leases and inventories until the signal. A round that fails is logged and followed by a longer
 * pause; nothing ends the loop but the signal.
 */
export async function runLoop(
  agent: AgentContext,
  pace: LoopPace,
  inventory: () => Promise<boolean>,
): Promise<void> {
  let inventoryDueAt = 0;
  let failures = 0;
  const stopped = () => agent.signal.aborted;
  while (!stopped()) {
    let busy = false;
    try {
      if (agent.now().getTime() >= inventoryDueAt && (await inventory())) {
        inventoryDueAt = agent.now().getTime() + pace.inventoryMs;
      }
      if (!stopped()) busy = await runCycle(agent);
      if (busy) inventoryDueAt = 0;
      failures = 0;
    } catch (error) {
      failures += 1;
      agent.log('round-failed', { reason: said(error) });
    }
    if (!busy) await agent.pause(pauseMs(pace.pollMs, failures));
  }
}
