import { readFileSync } from 'node:fs';
import { assertCloudEvent, type CloudEvent, INTEGRATION_EVENTS } from '@patchtrail/contracts';
import type { Sql } from '@patchtrail/postgres';

const GOLDEN = new URL('../../contracts/golden/', import.meta.url);

class Touched extends Error {}

/**
 * Types of the recorded messages, one for each integration event, with which `apply` does anything
 * at all. Its database refuses everything, so it never gets further than that.
 */
export async function typesActedOn(
  apply: (tx: Sql, message: CloudEvent) => Promise<void>,
): Promise<readonly string[]> {
  const touch = () => Promise.reject(new Touched());
  const acted: string[] = [];
  for (const { type } of INTEGRATION_EVENTS) {
    const recorded: unknown = JSON.parse(readFileSync(new URL(`${type}.json`, GOLDEN), 'utf8'));
    const isActedOn = await apply({ rows: touch, run: touch }, assertCloudEvent(recorded)).then(
      () => false,
      (error: unknown) => {
        if (error instanceof Touched) return true;
        throw error;
      },
    );
    if (isActedOn) acted.push(type);
  }
  return acted;
}
