import type { DiscoveryPorts } from './ports.js';

const ENDPOINTS_PER_ROUND_MAX = 50;

/**
 * Marks active endpoints without an inventory for too long, and has them assessed: what they need
 * is unknown until the next one.
 */
export async function noteSilence(
  { transact, origin }: Pick<DiscoveryPorts, 'transact' | 'origin'>,
  staleAfterMs: number,
): Promise<void> {
  const from = origin();
  const before = new Date(Date.parse(from.at) - staleAfterMs).toISOString();
  await transact(from, async (tx) => {
    const silent = await tx.endpoints.markStale(before, from.at, ENDPOINTS_PER_ROUND_MAX);
    // In the one order of endpoints in which work is queued everywhere.
    for (const id of silent.toSorted()) await tx.work.add('applicability', id);
  });
}
