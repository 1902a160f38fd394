import type { Sql } from '@patchtrail/postgres';
import type { Position } from '../event-store.js';
import { isPosition } from '../position.js';

/** Somebody else moved the checkpoint, so that this runner has to read it anew. */
export class CheckpointMoved extends Error {
  constructor(name: string, expected: Position | null, actual: Position | null) {
    super(
      `The checkpoint of ${name} is at ${String(actual)}, not ${String(expected)}: another runner moved it.`,
    );
    this.name = 'CheckpointMoved';
  }
}

/** Where the runner of this name goes on: `null` for one that has never run. */
export async function openCheckpoint(db: Sql, name: string): Promise<Position | null> {
  await db.run('INSERT INTO checkpoints (name) VALUES ($1) ON CONFLICT DO NOTHING', [name]);
  return positionOf(db, 'SELECT position FROM checkpoints WHERE name = $1', name);
}

/**
 * Locks the checkpoint ahead of the work of a transaction, so that of two runners the second does
 * nothing at all.
 * @throws CheckpointMoved
 */
export async function holdCheckpoint(tx: Sql, name: string, from: Position | null): Promise<void> {
  const actual = await lockCheckpoint(tx, name);
  if (actual !== from) throw new CheckpointMoved(name, from, actual);
}

/** Where the runner is, and will stay until the transaction ends. */
export async function lockCheckpoint(tx: Sql, name: string): Promise<Position | null> {
  return positionOf(tx, 'SELECT position FROM checkpoints WHERE name = $1 FOR UPDATE', name);
}

export async function moveCheckpoint(tx: Sql, name: string, to: Position): Promise<void> {
  await tx.run('UPDATE checkpoints SET position = $2, moved_at = now() WHERE name = $1', [
    name,
    to,
  ]);
}

async function positionOf(sql: Sql, query: string, name: string): Promise<Position | null> {
  const [row] = await sql.rows<{ position: string | null }>(query, [name]);
  const position = row?.position ?? null;
  return position !== null && isPosition(position) ? position : null;
}
