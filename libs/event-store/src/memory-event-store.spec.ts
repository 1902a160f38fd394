import { eventStoreSuite } from './conformance/event-store.suite.js';
import { createMemoryEventStore } from './memory-event-store.js';

eventStoreSuite('memory', () =>
  Promise.resolve({ store: createMemoryEventStore(), close: () => Promise.resolve() }),
);
