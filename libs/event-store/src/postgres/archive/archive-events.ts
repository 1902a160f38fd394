import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Client } from 'pg';
import type { Position } from '../../event-store.js';
import { numberOf, positionFrom } from '../../position.js';
import { ArchiveDamaged, type ArchivedEvent, openArchive, writeArchive } from './archive-file.js';
import { asOwner, inTransaction } from './owner.js';

export type ArchivedRange = Readonly<{
  first: Position;
  last: Position;
  events: number;
  file: string;
  sha256: string;
}>;

type Partition = { from_position: string; to_position: string; relation: string };

const PAGE_SIZE = 1_000;

/**
 * Moves whole partitions whose events all lie before the position out of the database: each is
 * written to a file, which is read back and compared before the partition is dropped. Run again
 * after it was interrupted, it goes on where it was. To be run with the rights of the owner.
 *
 * Readers of all events that would have to pass a range meet `PositionArchived`; streams give what
 * is left of them, and appends go on at their revisions.
 *
 * @throws ArchiveDamaged where the file does not hold what the database does; nothing is dropped
 */
export async function archiveEvents(options: {
  ownerUrl: string;
  /** Exclusive. Of a partition that reaches beyond it nothing is archived. */
  before: Position;
  /** Where the files go; made where it is missing. */
  directory: string;
}): Promise<readonly ArchivedRange[]> {
  const before = numberOf(options.before);
  const directory = resolve(options.directory);
  await mkdir(directory, { recursive: true });
  return asOwner(options.ownerUrl, async (owner) => {
    // Never the last one, however full: the next is made after it.
    const { rows } = await owner.query<Partition>(
      `SELECT from_position, to_position, relation
       FROM event_store.partitions, event_store.last_position
       WHERE to_position <= $1 AND to_position <= last_value + 1
         AND to_position < (SELECT max(to_position) FROM event_store.partitions)
       ORDER BY from_position`,
      [before.toString()],
    );
    const archived: ArchivedRange[] = [];
    for (const partition of rows) archived.push(await archive(owner, partition, directory));
    return archived;
  });
}

async function archive(
  owner: Client,
  partition: Partition,
  directory: string,
): Promise<ArchivedRange> {
  const { from_position: from, to_position: to } = partition;
  const { rows } = await owner.query<{ id: string }>('SELECT id FROM event_store.identity');
  const store = `postgres:${rows[0]?.id ?? ''}`;
  await writeArchive(directory, { store, from, to }, eventsOf(owner, partition));
  const { manifest, events } = await openArchive(directory, from, to);
  await compare(events(), eventsOf(owner, partition), manifest.file);
  await drop(owner, partition, manifest);
  return {
    first: positionFrom(BigInt(from)),
    last: positionFrom(BigInt(to) - 1n),
    events: manifest.events,
    file: manifest.file,
    sha256: manifest.sha256,
  };
}

/** The file is only as good as what can be read back from it. */
async function compare(
  archived: AsyncGenerator<ArchivedEvent>,
  stored: AsyncGenerator<ArchivedEvent>,
  file: string,
): Promise<void> {
  for await (const event of stored) {
    const next = await archived.next();
    if (next.done === true || JSON.stringify(next.value) !== JSON.stringify(event)) {
      throw new ArchiveDamaged(file, `position ${event.position} is not as it is stored`);
    }
  }
  if ((await archived.next()).done !== true) {
    throw new ArchiveDamaged(file, 'it holds more than is stored');
  }
}

/** The range is recorded where its events vanish: no reader can see one without the other. */
async function drop(
  owner: Client,
  { from_position: from, to_position: to, relation }: Partition,
  { events, file, sha256 }: { events: number; file: string; sha256: string },
): Promise<void> {
  await inTransaction(owner, async () => {
    await owner.query(`ALTER TABLE event_store.events DETACH PARTITION event_store."${relation}"`);
    const { rows } = await owner.query<{ count: string }>(
      `SELECT count(*) FROM event_store."${relation}"`,
    );
    if (Number(rows[0]?.count) !== events) {
      throw new ArchiveDamaged(file, `it holds ${events} events of ${String(rows[0]?.count)}`);
    }
    await owner.query(`DROP TABLE event_store."${relation}"`);
    await owner.query('DELETE FROM event_store.partitions WHERE to_position = $1', [to]);
    await owner.query(
      `INSERT INTO event_store.archived_ranges (from_position, to_position, events, file, sha256)
       VALUES ($1, $2, $3, $4, $5)`,
      [from, to, events, file, sha256],
    );
  });
}

async function* eventsOf(
  owner: Client,
  { relation, from_position: from }: Partition,
): AsyncGenerator<ArchivedEvent> {
  let after = BigInt(from) - 1n;
  for (;;) {
    const { rows } = await owner.query<ArchivedEvent>(
      `SELECT position::text, stream, revision, id::text, type, data::text, metadata::text,
         recorded_at::text AS "recordedAt"
       FROM event_store."${relation}" e
       WHERE e.position > $1 ORDER BY e.position LIMIT ${PAGE_SIZE}`,
      [after.toString()],
    );
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined) return;
    after = BigInt(last.position);
  }
}
