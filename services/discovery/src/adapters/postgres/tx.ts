import { enqueue } from '@patchtrail/messaging';
import type { Database, Sql } from '@patchtrail/postgres';
import { v7 as uuidv7 } from 'uuid';
import type { GroupStore, Origin, SignalStore, Transact, Tx } from '../../application/ports.js';
import type { KevEntry } from '../../domain/kev.js';
import { endpointStore } from './endpoint-store.js';
import { inventoryStore } from './inventory-store.js';
import { applicabilityStore, patchStore } from './patch-store.js';
import { sourceStore } from './source-store.js';
import { workQueue } from './work-queue.js';

/** The stores on one transaction, and its outbox. */
export function bindTx(sql: Sql, origin: Origin): Tx {
  const { at: time, actor, correlationId, causationId, traceparent } = origin;
  return {
    endpoints: endpointStore(sql),
    inventories: inventoryStore(sql),
    sources: sourceStore(sql),
    patches: patchStore(sql),
    applicability: applicabilityStore(sql),
    groups: groupStore(sql),
    signals: signalStore(sql),
    work: workQueue(sql),
    publish: (definition, { kind, id: key }, data) => {
      const caused = { time, actor, correlationId, causationId, traceparent };
      const event = { id: uuidv7(), subject: `${kind}/${key}`, key, ...caused };
      return enqueue(sql, definition, event, data);
    },
  };
}

export function transactOn(db: Database): Transact {
  return (origin, work) => db.transaction((sql) => work(bindTx(sql, origin)));
}

function groupStore(sql: Sql): GroupStore {
  return {
    add: async ({ groupId, name, selector }, at) => {
      const added = await sql.run(
        `INSERT INTO device_groups (group_id, name, selector, defined_at)
         VALUES ($1, $2, $3::jsonb, $4) ON CONFLICT (name) DO NOTHING`,
        [groupId, name, JSON.stringify(selector), at],
      );
      return added === 1;
    },
  };
}

function signalStore(sql: Sql): SignalStore {
  return {
    lockKev: async () => {
      await sql.rows(`SELECT pg_advisory_xact_lock(hashtextextended('threat-signal/kev', 0))`);
      const [row] = await sql.rows<{ catalogVersion: string; releasedAt: string }>(
        `SELECT catalog_version AS "catalogVersion", released_at AS "releasedAt"
           FROM threat_catalogues WHERE signal = 'kev'`,
      );
      if (row === undefined) return null;
      const entries = await sql.rows<KevEntry>(
        `SELECT cve_id AS "cveId", date_added AS "dateAdded", due_date AS "dueDate",
                known_ransomware AS "knownRansomware" FROM kev_entries`,
      );
      return { ...row, entries: new Map(entries.map((entry) => [entry.cveId, entry])) };
    },
    putKev: async ({ catalogVersion, releasedAt, count }, entries, at) => {
      await sql.run(
        `INSERT INTO threat_catalogues (signal, catalog_version, released_at, entry_count, imported_at)
         VALUES ('kev', $1, $2, $3, $4)
         ON CONFLICT (signal) DO UPDATE SET
           catalog_version = excluded.catalog_version, released_at = excluded.released_at,
           entry_count = excluded.entry_count, imported_at = excluded.imported_at`,
        [catalogVersion, releasedAt, count, at],
      );
      await sql.run(
        `INSERT INTO kev_entries (cve_id, date_added, due_date, known_ransomware)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[])
         ON CONFLICT (cve_id) DO UPDATE SET
           date_added = excluded.date_added, due_date = excluded.due_date,
           known_ransomware = excluded.known_ransomware`,
        [
          entries.map(({ cveId }) => cveId),
          entries.map(({ dateAdded }) => dateAdded),
          entries.map(({ dueDate }) => dueDate),
          entries.map(({ knownRansomware }) => knownRansomware),
        ],
      );
    },
  };
}
