export { type EventStoreDbDouble, type EventStoreDbOptions, startEventStoreDb } from './server.js';
