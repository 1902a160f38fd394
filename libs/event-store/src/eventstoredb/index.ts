export { type Limits, NoAnswer } from './answers.js';
export { InvalidConnectionUrl } from './connection-url.js';
export { openEventStoreDb } from './eventstoredb-event-store.js';
export { grantReadOfAll } from './grant.js';
export { ForeignEvent } from './recorded-event.js';
export { UnfitServer } from './start-up.js';
