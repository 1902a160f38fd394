import { afterAll, beforeAll, describe } from '@jest/globals';
import { appendSuite } from './append.suite.js';
import { limitsSuite } from './limits.suite.js';
import { raceSuite } from './race.suite.js';
import { readSuite } from './read.suite.js';
import { subscribeSuite } from './subscribe.suite.js';
import type { EventStore } from '../event-store.js';

export type OpenStore = () => Promise<{ store: EventStore; close: () => Promise<void> }>;

/**
 * What every adapter of the port must keep. The store may be shared and hold anything before and
 * beside: each test has streams of its own and looks only at them.
 */
export function eventStoreSuite(adapter: string, open: OpenStore): void {
  describe(`event store: ${adapter}`, () => {
    let store: EventStore;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ store, close } = await open());
    });
    afterAll(() => close());

    const storeOf = () => store;
    appendSuite(storeOf);
    limitsSuite(storeOf);
    readSuite(storeOf);
    subscribeSuite(storeOf);
    raceSuite(adapter, storeOf);
  });
}
