/** @jest-environment-options {"customExportConditions":["@patchtrail/source","node","node-addons"]} */
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Database } from '@patchtrail/postgres';
import { eventually, runScript, type RunningScript } from '@patchtrail/testing';
import { openFreshDatabase, openFreshStore, type OpenedStore } from './databases.suite.js';
import { newEvent } from './test-events.suite.js';

const SCRIPT = fileURLToPath(new URL('./crash-script.suite.ts', import.meta.url));

describe('a process killed between an effect and its checkpoint', () => {
  let opened: OpenedStore;
  let db: Database;
  let dropDatabase: () => Promise<void>;
  let scripts: RunningScript[];
  beforeEach(async () => {
    scripts = [];
    opened = await openFreshStore();
    ({ db, close: dropDatabase } = await openFreshDatabase());
    await db.run('CREATE TABLE applied (revision integer NOT NULL)');
    const events = [0, 1, 2, 3].map((n) => ({
      ...newEvent({
        timerId: `timer ${n}`,
        dueAt: '2026-11-21T09:00:00Z',
        purpose: 'crash',
        generation: 1,
      }),
      type: 'TimerScheduled',
    }));
    await opened.store.append('source-1', 'no-stream', events);
  });
  afterEach(async () => {
    await Promise.all(scripts.map((script) => script.kill()));
    await opened.close();
    await dropDatabase();
  });

  const start = (point: string) => {
    const script = runScript(SCRIPT, { args: [opened.urls.role, db.url, point] });
    scripts.push(script);
    return script;
  };
  const applied = async () =>
    (await db.rows<{ revision: number }>('SELECT revision FROM applied ORDER BY revision')).map(
      ({ revision }) => revision,
    );
  const causesIn = async (stream: string) => {
    const events = await opened.store.read(stream);
    return events.map(({ metadata }) => metadata.commandId);
  };

  it.each([
    // What was left when it died: rows, reactions, and whether a timer's effect was stored.
    ['apply', { applied: 0, reacted: null }],
    ['received', { applied: null, reacted: 2 }],
    ['react', { applied: null, reacted: 3 }],
    ['elapse', { applied: 4, reacted: null }],
  ])('in %s leaves each effect there once after its restart', async (point, left) => {
    const first = start(point);
    await first.line(new RegExp(`^halted in ${point}$`));
    expect(await first.kill()).toMatchObject({ signal: 'SIGKILL' });
    if (left.applied !== null) expect(await applied()).toHaveLength(left.applied);
    if (left.reacted !== null) expect(await causesIn('reacted-1')).toHaveLength(left.reacted);
    if (point === 'elapse') {
      expect((await causesIn('elapsed-1')).length).toBeGreaterThan(0);
      const marked = await db.rows('SELECT 1 FROM timers WHERE elapsed_at IS NOT NULL');
      expect(marked).toEqual([]);
    }

    const second = start('none');
    await second.line(/^caught up$/);
    await eventually(async () => {
      const marked = await db.rows('SELECT 1 FROM timers WHERE elapsed_at IS NOT NULL');
      expect(marked).toHaveLength(4);
    });
    expect(await applied()).toEqual([0, 1, 2, 3]);
    for (const stream of ['reacted-1', 'elapsed-1']) {
      const causes = await causesIn(stream);
      expect(causes).toHaveLength(4);
      expect(new Set(causes).size).toBe(4);
    }
  });
});
