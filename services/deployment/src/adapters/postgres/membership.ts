import { DomainError } from '@patchtrail/event-sourcing';
import type { Database, Sql } from '@patchtrail/postgres';
import type { Membership, RefusedReports } from '../../application/ports.js';
import { approvedPatches } from './fleet.js';

const OPEN_PARTS_MAX = 50;

export function membershipIn(db: Database): Membership {
  return {
    alone: (endpointId, work) =>
      db.transaction(async (tx) => {
        // The lock of the row serialises leases of one endpoint over all replicas and rollouts.
        const [endpoint] = await tx.rows<{ retired: boolean; leasedIn: string | null }>(
          `SELECT retired, leased_in AS "leasedIn" FROM endpoints
            WHERE endpoint_id = $1 FOR UPDATE`,
          [endpointId],
        );
        if (endpoint?.retired !== false) {
          throw new DomainError('unknown-endpoint', `endpointId: ${endpointId} is not enrolled`);
        }
        const { leasedIn } = endpoint;
        const open = await openPartsIn(tx, endpointId);
        return work({
          parts: [...new Set(leasedIn === null ? open : [leasedIn, ...open])],
          patches: (refs) => approvedPatches(tx, refs),
          leaseIn: async (stream) => {
            if (stream !== null || leasedIn !== null) await tx.run(LEASE_IN, [endpointId, stream]);
          },
        });
      }),
    openParts: (endpointId) => openPartsIn(db, endpointId),
    partOfAttempt: async (attemptId) => {
      const [row] = await db.rows<{ stream: string }>(
        'SELECT stream FROM attempts WHERE attempt_id = $1',
        [attemptId],
      );
      return row?.stream ?? null;
    },
  };
}

const LEASE_IN = 'UPDATE endpoints SET leased_in = $2 WHERE endpoint_id = $1';

async function openPartsIn(db: Sql, endpointId: string): Promise<readonly string[]> {
  const rows = await db.rows<{ stream: string }>(
    `SELECT p.stream FROM part_members m JOIN wave_parts p ON p.number = m.part_number
      WHERE m.endpoint_id = $1 AND NOT m.ended AND p.opened ORDER BY p.number LIMIT $2`,
    [endpointId, OPEN_PARTS_MAX],
  );
  return rows.map(({ stream }) => stream);
}

/** The same refusal again is counted, so that an agent that insists fills no disk. */
export function refusedReportsIn(db: Sql): RefusedReports {
  return {
    record: async ({ endpointId, attemptId, kind, code, detail, reportDigest, at }) => {
      await db.run(
        `INSERT INTO refused_reports AS known
           (endpoint_id, attempt_id, kind, code, detail, report_digest, first_at, last_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
         ON CONFLICT (endpoint_id, attempt_id, kind, code, report_digest)
         DO UPDATE SET times = known.times + 1, last_at = excluded.last_at`,
        [endpointId, attemptId, kind, code, detail, reportDigest, at],
      );
    },
  };
}
