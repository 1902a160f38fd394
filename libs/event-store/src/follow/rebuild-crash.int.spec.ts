/** @jest-environment-options {"customExportConditions":["@patchtrail/source","node","node-addons"]} */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Database } from '@patchtrail/postgres';
import { eventually, runScript, type RunningScript } from '@patchtrail/testing';
import { openFreshDatabase, type OpenedStore, openFreshStore } from '../databases.suite.js';
import { createTestLog } from '../log.suite.js';
import { newEvents } from '../test-events.suite.js';
import type { Projection } from './progress.js';
import { runProjection } from './projection.js';
import { rebuildProjection, RebuildUnderWay } from './rebuild.js';
import { appendTo, COUNTER_TABLES, counterRows, dump } from './rebuild.suite.js';

const SCRIPT = new URL('./rebuild-script.suite.ts', import.meta.url);
const DEADLINE_MS = 60_000;

describe('a rebuild that is killed', () => {
  let opened: OpenedStore;
  let db: Database;
  let closeDatabase: () => Promise<void>;
  let stop: AbortController;
  let projection: Projection;
  let script: RunningScript | null;

  beforeEach(async () => {
    script = null;
    stop = new AbortController();
    opened = await openFreshStore();
    ({ db, close: closeDatabase } = await openFreshDatabase());
    await db.run(COUNTER_TABLES);
    for (const n of [0, 1, 2]) {
      await opened.store.append(`counter-${n}`, 'no-stream', newEvents(300));
    }
    const { store } = opened;
    const log = createTestLog();
    projection = runProjection({ ...counterRows, store, db, signal: stop.signal, log });
    expect(await projection.reachedHead(DEADLINE_MS)).toBe(true);
  });
  afterEach(async () => {
    await script?.kill();
    stop.abort();
    await projection.done;
    await closeDatabase();
    await opened.close();
  });

  const rebuild = () =>
    rebuildProjection({
      ...{ store: opened.store, db, projection: counterRows },
      signal: stop.signal,
    });

  it.each([
    ['while it makes the copies', '1'],
    ['while it fills them', '2'],
    ['when it has swapped them, before that is committed', '3'],
  ])(
    '%s leaves the rows as they were, and the next one starts clean',
    async (_, haltIn) => {
      const before = await dump(db);
      script = runScript(SCRIPT, { args: [opened.urls.role, db.url, haltIn] });
      await script.line(/^halted/, DEADLINE_MS);
      await expect(rebuild()).rejects.toThrow(RebuildUnderWay);
      expect(await script.kill('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
      expect(await dump(db)).toEqual(before);
      await appendTo(opened.store, 'counter-1', newEvents(1));
      expect(await projection.reachedHead(DEADLINE_MS)).toBe(true);
      const rebuilt = await eventually(rebuild, { deadlineMs: DEADLINE_MS });
      expect(rebuilt.events).toBe(901);
      expect(rebuilt.tables.map(({ differed }) => differed)).toEqual([false, false, false]);
      expect((await dump(db))['entries']).toHaveLength(901);
    },
    4 * DEADLINE_MS,
  );

  it(
    'would have come to its end',
    async () => {
      script = runScript(SCRIPT, { args: [opened.urls.role, db.url] });
      expect(await script.line(/^rebuilt/, DEADLINE_MS)).toBe('rebuilt');
    },
    2 * DEADLINE_MS,
  );
});
