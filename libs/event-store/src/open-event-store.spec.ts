import { describe, expect, it } from '@jest/globals';
import { createTestLog } from './log.suite.js';
import { openEventStore } from './open-event-store.js';

describe('opening an event store by its URL', () => {
  it.each(['mysql://user:secret@localhost/x', 'memory:', 'localhost:5432', ''])(
    'refuses "%s" by its scheme, and tells no password',
    async (url) => {
      const refused = openEventStore({ url, log: createTestLog() });
      await expect(refused).rejects.toThrow(/must begin with postgres:/);
      await expect(refused).rejects.not.toThrow(/secret/);
    },
  );
});
