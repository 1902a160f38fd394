export { type Database, type DatabaseOptions, openDatabase } from './database.js';
export { type Lease, tryLease } from './lease.js';
export { type Migration } from './migrations.js';
export { type Sql, SqlError } from './sql.js';
