import { resolve } from 'node:path';
import type { Client } from 'pg';
import type { Position } from '../../event-store.js';
import { numberOf } from '../../position.js';
import { ArchiveDamaged, type ArchivedEvent, openArchive } from './archive-file.js';
import { asOwner, inTransaction } from './owner.js';

type Range = { from_position: string; to_position: string; sha256: string; events: string };

const PAGE_SIZE = 500;

/**
 * Brings archived events back to where they were, from the position on: the ranges that end after
 * it. Returns how many events. The files stay. To be run with the rights of the owner.
 *
 * @throws ArchiveDamaged where a file is not the one that was archived; its range stays archived
 */
export async function restoreEvents(options: {
  ownerUrl: string;
  /** Exclusive; `null` restores everything. */
  after: Position | null;
  directory: string;
}): Promise<number> {
  const after = numberOf(options.after);
  const directory = resolve(options.directory);
  return asOwner(options.ownerUrl, async (owner) => {
    const { rows } = await owner.query<Range>(
      `SELECT from_position, to_position, sha256, events FROM event_store.archived_ranges
       WHERE to_position > $1::bigint + 1 ORDER BY from_position DESC`,
      [after.toString()],
    );
    let restored = 0;
    // The newest first: what is back is always whole up to the head.
    for (const range of rows) restored += await restore(owner, range, directory);
    return restored;
  });
}

async function restore(owner: Client, range: Range, directory: string): Promise<number> {
  const { from_position: from, to_position: to, sha256 } = range;
  const { manifest, events } = await openArchive(directory, from, to);
  if (manifest.sha256 !== sha256) {
    throw new ArchiveDamaged(manifest.file, 'it is not the file that was archived');
  }
  await inTransaction(owner, async () => {
    const { rows } = await owner.query<{ relation: string }>(
      'SELECT event_store.make_partition($1) AS relation',
      [from],
    );
    const relation = rows[0]?.relation ?? '';
    const count = await fill(owner, relation, events());
    if (count !== Number(range.events)) {
      throw new ArchiveDamaged(manifest.file, `it holds ${count} events of ${range.events}`);
    }
    await owner.query('SELECT event_store.attach_partition($1, $2, $3)', [relation, from, to]);
    await owner.query('DELETE FROM event_store.archived_ranges WHERE to_position = $1', [to]);
  });
  return manifest.events;
}

async function fill(
  owner: Client,
  relation: string,
  events: AsyncGenerator<ArchivedEvent>,
): Promise<number> {
  let page: ArchivedEvent[] = [];
  let count = 0;
  const insert = async () => {
    count += page.length;
    await owner.query(
      `INSERT INTO event_store."${relation}"
         (position, stream, revision, id, type, data, metadata, recorded_at)
       SELECT * FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::uuid[], $5::text[],
         $6::json[], $7::json[], $8::timestamptz[])`,
      [
        page.map(({ position }) => position),
        page.map(({ stream }) => stream),
        page.map(({ revision }) => revision),
        page.map(({ id }) => id),
        page.map(({ type }) => type),
        page.map(({ data }) => data),
        page.map(({ metadata }) => metadata),
        page.map(({ recordedAt }) => recordedAt),
      ],
    );
    page = [];
  };
  for await (const event of events) {
    page.push(event);
    if (page.length === PAGE_SIZE) await insert();
  }
  await insert();
  return count;
}
