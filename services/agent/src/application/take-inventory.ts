import type { AgentContext } from './context.js';
import { ServerRefused, ServerUnavailable } from './server.js';

export const AGENT_VERSION = '0.1.0';

/** Collects and sends an inventory. What fails here is logged and tried again with the next one. */
export async function takeInventory(
  agent: AgentContext,
  nextSequence: () => Promise<number>,
): Promise<boolean> {
  const collectedAt = agent.now().toISOString();
  const inventory = await agent.executor.inventory();
  const sequence = await nextSequence();
  try {
    await agent.server.putInventory({
      ...inventory,
      sequence,
      collectedAt,
      agentVersion: AGENT_VERSION,
    });
    agent.log('inventory-sent', { sequence, packages: inventory.packages.length });
    return true;
  } catch (error) {
    if (!(error instanceof ServerUnavailable || error instanceof ServerRefused)) throw error;
    agent.log('inventory-not-taken', { sequence, reason: error.message });
    return false;
  }
}
