import type { Page } from '@patchtrail/platform';
import type { Database } from '@patchtrail/postgres';
import { membersOf } from '../../application/define-group.js';
import type { DeviceGroup } from '../../application/ports.js';
import { endpointStore } from './endpoint-store.js';

const COLUMNS = 'group_id AS "groupId", name, selector';

export function listGroups(db: Database, { limit, after }: Page): Promise<DeviceGroup[]> {
  return db.rows<DeviceGroup>(
    `SELECT ${COLUMNS} FROM device_groups WHERE $1::uuid IS NULL OR group_id > $1
      ORDER BY group_id LIMIT $2`,
    [after, limit + 1],
  );
}

/** A group with its members of now, of the departments that may be seen. */
export async function groupMembers(
  db: Database,
  groupId: string,
  departments: readonly string[] | null,
) {
  const [group] = await db.rows<DeviceGroup>(
    `SELECT ${COLUMNS} FROM device_groups WHERE group_id = $1`,
    [groupId],
  );
  if (group === undefined) return null;
  const members = membersOf(group.selector, await endpointStore(db).active());
  const visible = members.filter(
    ({ attributes }) => departments === null || departments.includes(attributes.department),
  );
  return {
    ...group,
    memberCount: members.length,
    members: visible.map(({ endpointId, attributes }) => ({
      endpointId,
      hostname: attributes.hostname,
    })),
  };
}

type SignalView = Readonly<{
  signal: string;
  catalogVersion: string;
  releasedAt: string;
  count: number;
  importedAt: Date;
}>;

export function listSignals(db: Database): Promise<SignalView[]> {
  return db.rows<SignalView>(
    `SELECT signal, catalog_version AS "catalogVersion", released_at AS "releasedAt",
            entry_count AS count, imported_at AS "importedAt"
       FROM threat_catalogues ORDER BY signal`,
  );
}
