/** @jest-environment-options {"customExportConditions":["@patchtrail/source","node","node-addons"]} */
import { startEventStoreDb } from '@patchtrail/testing/eventstoredb';
import { eventStoreSuite } from '../conformance/event-store.suite.js';
import { createTestLog } from '../log.suite.js';
import { openEventStoreDb } from './eventstoredb-event-store.js';

eventStoreSuite('eventstoredb', async () => {
  const double = await startEventStoreDb();
  const store = await openEventStoreDb({ url: double.connectionString, log: createTestLog() });
  return {
    store,
    close: async () => {
      await store.close();
      await double.stop();
    },
  };
});
