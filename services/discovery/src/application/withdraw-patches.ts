import { discovery } from '@patchtrail/contracts';
import { type PatchArchive, patchLine, withdrawals } from '../domain/patch.js';
import type { ArchiveLines, Tx } from './ports.js';

/** Withdraws every patch that the indexes now in force have dropped, and has its endpoints assessed. */
export async function withdrawPatches(tx: Tx, at: string): Promise<void> {
  const lines = linesOf((await tx.sources.archives()).values());
  const found = withdrawals(await tx.patches.unlisted(lines));
  if (found.length === 0) return;
  const ids = found.map(({ patchId }) => patchId);
  const withdrawn = await tx.patches.withdraw(ids, at);
  const gone = found.filter(({ patchId }) => withdrawn.has(patchId));
  for (const { patchId, vendor, release, sourcePackage, sourceVersion } of gone) {
    const reason = `no admitted archive of ${vendor} ${release} carries ${sourcePackage} ${sourceVersion} any more`;
    await tx.publish(discovery.PatchWithdrawn, { kind: 'patch', id: patchId }, { patchId, reason });
  }
  await tx.work.addForPackages(gone.map(({ sourcePackage }) => sourcePackage));
}

export function linesOf(archives: Iterable<PatchArchive>): ArchiveLines {
  return [...archives].map((archive) => {
    const { vendor, release } = patchLine(archive, '');
    return { sourceId: archive.sourceId, vendor, release };
  });
}
