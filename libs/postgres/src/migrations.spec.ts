import { describe, expect, it } from '@jest/globals';
import { planMigrations } from './migrations.js';

const first = { name: 'rooms-001-tables', sql: 'CREATE TABLE room (id int)' };
const second = { name: 'rooms-002-index', sql: 'CREATE INDEX ON room (id)' };
const records = (...given: { name: string; sql: string }[]): string[] =>
  planMigrations([], given).map(({ record }) => record);
const placeOf = (record: string | undefined): number => Number(record?.slice(-13));

describe('a migration plan', () => {
  it('gives every migration a 13-digit place in the given order', () => {
    const [one, two] = records(second, first);
    expect(one).toMatch(/^rooms-002-index\.[0-9a-f]{16}\.\d{13}$/);
    expect(placeOf(one)).toBeLessThan(placeOf(two));
  });

  it('keeps the record of what was applied', () => {
    const applied = records(first);
    expect(planMigrations(applied, [first]).map(({ record }) => record)).toEqual(applied);
  });

  it('places a new migration behind all applied ones, wherever it is listed', () => {
    const applied = records(first);
    const [fresh] = planMigrations(applied, [second, first]);
    expect(placeOf(fresh?.record)).toBeGreaterThan(placeOf(applied[0]));
  });

  it('refuses SQL that was changed after it was applied', () => {
    expect(() => planMigrations(records(first), [{ ...first, sql: 'SELECT 1' }])).toThrow(
      'Migration rooms-001-tables was changed after it had been applied to this database.',
    );
  });

  it('refuses a database that is ahead of the program', () => {
    expect(() => planMigrations(records(first, second), [first])).toThrow(
      'Migration rooms-002-index was applied to this database and is missing from this program.',
    );
  });

  it.each(['', 'Rooms', 'rooms_1', 'rooms.1', 'a'.repeat(121)])('refuses the name "%s"', (name) => {
    expect(() => planMigrations([], [{ name, sql: '' }])).toThrow(
      `Migration name "${name}" must be 1 to 120 of a-z, 0-9 and dashes.`,
    );
  });

  it('refuses a name listed twice', () => {
    expect(() => planMigrations([], [first, first])).toThrow('rooms-001-tables is listed twice');
  });

  it('refuses a record that it did not write', () => {
    expect(() => planMigrations(['Rooms1700000000000'], [first])).toThrow(
      'The migration record Rooms1700000000000 was not written by this program.',
    );
  });
});
