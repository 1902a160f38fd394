/** @jest-environment-options {"customExportConditions":["@patchtrail/source","node","node-addons"]} */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Database } from '@patchtrail/postgres';
import { openFreshDatabase } from '../databases.suite.js';
import { createMemoryEventStore } from '../memory-event-store.js';
import { bindStore, ForeignEventStore } from './bind-store.js';

describe('bindStore', () => {
  let db: Database;
  let close: () => Promise<void>;
  beforeAll(async () => {
    ({ db, close } = await openFreshDatabase());
  });
  afterAll(() => close());

  it('takes the first store, that store again, and no other', async () => {
    const [own, other] = [createMemoryEventStore(), createMemoryEventStore()];
    await Promise.all([bindStore(db, own), bindStore(db, own)]);
    await bindStore(db, own);
    const refused = bindStore(db, other);
    await expect(refused).rejects.toThrow(ForeignEventStore);
    await expect(refused).rejects.toMatchObject({
      bound: await own.identity(),
      found: await other.identity(),
    });
    await bindStore(db, own);
  });
});
