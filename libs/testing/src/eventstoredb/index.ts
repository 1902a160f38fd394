export type { User } from './access.js';
export type { EventStoreDbControl, EventStoreDbState, LoseBy, RefuseAs } from './control.js';
export { steerEventStoreDb } from './control-channel.js';
export { type EventStoreDbDouble, type EventStoreDbOptions, startEventStoreDb } from './server.js';
