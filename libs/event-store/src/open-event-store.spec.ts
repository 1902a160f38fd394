import { describe, expect, it } from '@jest/globals';
import { createTestLog } from './log.suite.js';
import { openEventStore } from './open-event-store.js';
import { newEvents } from './test-events.suite.js';

describe('opening an event store by its URL', () => {
  it.each(['mysql://user:secret@localhost/x', 'localhost:5432', ''])(
    'refuses "%s" by its scheme, and tells no password',
    async (url) => {
      const refused = openEventStore({ url, log: createTestLog() });
      await expect(refused).rejects.toThrow(/must begin with one of memory:, postgres:/);
      await expect(refused).rejects.not.toThrow(/secret/);
    },
  );

  it('makes a new one in memory each time', async () => {
    const [one, other] = [await inMemory(), await inMemory()];
    await one.append('counter-1', 'no-stream', newEvents(2));
    expect(await one.read('counter-1')).toHaveLength(2);
    expect(await other.read('counter-1')).toEqual([]);
    await Promise.all([one.close(), other.close()]);
  });
});

function inMemory() {
  return openEventStore({ url: 'memory:', log: createTestLog() });
}
