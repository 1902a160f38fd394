export { type Database, type DatabaseOptions, openDatabase } from './database.js';
export { deleteOlder } from './delete-older.js';
export { type FailureColumns, failureColumns } from './failure-columns.js';
export {
  type FencedLease,
  type Lease,
  LEASE_EPOCHS_TABLE,
  LeaseSuperseded,
  tryFencedLease,
  tryLease,
} from './lease.js';
export { type Migration } from './migrations.js';
export type { ServerKind } from './server/binaries.js';
export type { ServerChoice } from './server/choice.js';
export {
  findPostgres,
  type PostgresLog,
  type PostgresOptions,
  removePostgres,
  type RunningPostgres,
  startPostgres,
} from './server/start-postgres.js';
export { isContended, isUnreachable, type Sql, SqlError } from './sql.js';
export { holdInstanceLock } from './instance-lock.js';
export { type DatabaseSpec, provision, type Provisioned } from './provision.js';
