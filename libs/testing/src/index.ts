export { givenEventStoreDbUrl, raceMs } from './config.js';
export { eventually } from './eventually.js';
export { EXAMPLE_AT, exampleAttributes, exampleMessage, examplePatch } from './examples.js';
export {
  freshDatabase,
  type FreshDatabase,
  freshProvisioned,
  type FreshProvisioned,
  testServerUrl,
} from './fresh-database.js';
export { type Exit, runScript, type RunningScript, type ScriptOptions } from './run-script.js';
export { silentLog, type SilentLog } from './silent-log.js';
export { typesActedOn } from './types-acted-on.js';
export { allPages, assertScreenRefuses } from './screen-refusals.js';
export {
  type Served,
  type ServedService,
  serveService,
  type Show,
  type Shown,
} from './serve-service.js';
