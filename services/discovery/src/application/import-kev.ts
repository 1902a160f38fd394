import { discovery } from '@patchtrail/contracts';
import { assertReleased, inParts, kevChange, readKevCatalogue } from '../domain/kev.js';
import type { Tx } from './ports.js';

const ENTRIES_PER_EVENT_MAX = 500;

export type KevImport = Readonly<{
  catalogVersion: string;
  count: number;
  added: number;
  changed: number;
}>;

/**
 * Takes a KEV catalogue in place of the stored one and publishes what it changes.
 * @throws DomainError `malformed-catalogue`, `catalogue-not-yet-valid`, `catalogue-shrinks`,
 *   `catalogue-older`
 */
export async function importKev(tx: Tx, document: unknown, at: string): Promise<KevImport> {
  const catalogue = readKevCatalogue(document);
  assertReleased(catalogue, at);
  const stored = await tx.signals.lockKev();
  const { added, changed } = kevChange(stored, catalogue);
  const news = [...added, ...changed];
  const { catalogVersion, releasedAt, entries } = catalogue;
  const count = entries.length;
  const result = { catalogVersion, count, added: added.length, changed: changed.length };
  const again = stored?.catalogVersion === catalogVersion && stored.releasedAt === releasedAt;
  if (news.length === 0 && again) return result;
  await tx.signals.putKev({ catalogVersion, releasedAt, count }, news, at);
  const parts = inParts(news, ENTRIES_PER_EVENT_MAX);
  for (const [index, part] of parts.entries()) {
    await tx.publish(
      discovery.ThreatSignalChanged,
      { kind: 'threat-signal', id: 'kev' },
      {
        signal: 'kev',
        ...{ catalogVersion, releasedAt },
        catalogCount: count,
        part: index + 1,
        parts: parts.length,
        entries: [...part],
      },
    );
  }
  return result;
}
