import { randomUUID } from 'node:crypto';
import { EventStoreDBClient, jsonEvent, streamNameFilter } from '@eventstore/db-client';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type EventStoreDbDouble, startEventStoreDb } from './server.js';

let double: EventStoreDbDouble;
let client: EventStoreDBClient;
beforeEach(async () => {
  double = await startEventStoreDb();
  client = EventStoreDBClient.connectionString(double.connectionString);
});
afterEach(async () => {
  await client.dispose();
  await double.stop();
});

const event = (n: number, id = randomUUID()) => jsonEvent({ id, type: 'Counted', data: { n } });

describe('the double', () => {
  it('works', async () => {
    const first = await client.appendToStream('counter-1', [event(0), event(1)], {
      expectedRevision: 'no_stream',
    });
    expect(first).toMatchObject({ success: true, nextExpectedRevision: 1n });
    const seen: unknown[] = [];
    for await (const { event: e } of client.readStream('counter-1')) seen.push(e?.data);
    expect(seen).toEqual([{ n: 0 }, { n: 1 }]);
    let all = 0;
    for await (const { event: e } of client.readAll()) all += e === undefined ? 0 : 1;
    expect(all).toBe(8);
    const subscription = client.subscribeToAll({
      filter: streamNameFilter({ prefixes: ['counter-'] }),
    });
    let got = 0;
    for await (const { event: e } of subscription) {
      expect(e?.type).toBe('Counted');
      got += 1;
      if (got === 2) await client.appendToStream('counter-1', [event(2)]);
      if (got === 3) break;
    }
  });
});
