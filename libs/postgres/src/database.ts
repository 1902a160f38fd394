import { Socket } from 'node:net';
import { Client } from 'pg';
import { DataSource, type Logger } from 'typeorm';
import { type Migration, migrationClass, planMigrations } from './migrations.js';
import { asSqlError, type Sql, sqlOn } from './sql.js';

/** Single statements run each on a pooled connection; `transaction` keeps one for its work. */
export type Database = Sql & {
  /** READ COMMITTED; rolled back when `work` rejects. The result of `work` is passed on. */
  transaction<T>(work: (tx: Sql) => Promise<T>): Promise<T>;
  /** Waits for statements under way. Calling it again does nothing. */
  close(): Promise<void>;
  readonly url: string;
};

export type DatabaseOptions = {
  readonly url: string;
  readonly applicationName: string;
  readonly poolMax?: number;
  readonly migrations?: readonly Migration[];
  /** A connection on which nothing is heard for longer is given up; 65,000 by default. */
  readonly silenceMs?: number;
};

const RECORDS = 'schema_migrations';
const CONNECT_TIMEOUT_MS = 10_000;
const STATEMENT_TIMEOUT_MS = 30_000;
const LOCK_TIMEOUT_MS = 10_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000;
const MIGRATION_LOCK_TIMEOUT_MS = 120_000;
/** Longer than whatever the server itself would end: then it is the server that is gone. */
const SILENCE_MS = 65_000;

/** Failures are thrown; TypeORM would print statements and values besides. */
const nothing = (): void => undefined;
const QUIET: Logger = {
  logQuery: nothing,
  logQueryError: nothing,
  logQuerySlow: nothing,
  logSchemaBuild: nothing,
  logMigration: nothing,
  log: nothing,
};

/**
 * A server that vanished without a farewell ends no connection, and its limits end no wait for it:
 * a transaction would hang until the process is started anew.
 */
function heardSocket(silenceMs: number): Socket {
  const socket = new Socket().setTimeout(silenceMs);
  return socket.on('timeout', () => {
    const silent = new Error(`The database has been silent for ${silenceMs} ms.`);
    socket.destroy(Object.assign(silent, { code: 'ETIMEDOUT' }));
  });
}

function dataSourceFor(
  { url, applicationName, poolMax, silenceMs = SILENCE_MS }: DatabaseOptions,
  migrations: (new () => object)[],
): DataSource {
  return new DataSource({
    type: 'postgres',
    url,
    applicationName,
    poolSize: poolMax ?? 10,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    extra: {
      stream: () => heardSocket(silenceMs),
      keepAlive: true,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      lock_timeout: LOCK_TIMEOUT_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    },
    // The pool drops a lost idle connection by itself; the next statement opens another.
    poolErrorHandler: () => undefined,
    installExtensions: false,
    synchronize: false,
    logger: QUIET,
    migrations,
    migrationsTableName: RECORDS,
    migrationsTransactionMode: 'each',
  });
}

async function appliedRecords(client: Client): Promise<string[]> {
  const found = await client.query<{ present: boolean }>(
    'SELECT to_regclass($1) IS NOT NULL AS present',
    [RECORDS],
  );
  if (found.rows[0]?.present !== true) return [];
  const { rows } = await client.query<{ name: string }>(`SELECT name FROM ${RECORDS} ORDER BY id`);
  return rows.map(({ name }) => name);
}

/** Two processes may start at once: the second waits here and then finds nothing left to do. */
async function underMigrationLock<T>(
  options: DatabaseOptions,
  work: (applied: string[]) => Promise<T>,
): Promise<T> {
  const client = new Client({
    connectionString: options.url,
    application_name: options.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    lock_timeout: MIGRATION_LOCK_TIMEOUT_MS,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query("SELECT pg_advisory_lock(hashtextextended('patchtrail migrations', 0))");
    return await work(await appliedRecords(client));
  } catch (error) {
    throw asSqlError(error);
  } finally {
    await client.end();
  }
}

async function opened(source: DataSource): Promise<DataSource> {
  try {
    return await source.initialize();
  } catch (error) {
    throw asSqlError(error);
  }
}

async function migrated(options: DatabaseOptions): Promise<DataSource> {
  const given = options.migrations ?? [];
  if (given.length === 0) return opened(dataSourceFor(options, []));
  return underMigrationLock(options, async (applied) => {
    const planned = planMigrations(applied, given);
    const source = await opened(dataSourceFor(options, planned.map(migrationClass)));
    try {
      await source.runMigrations({ transaction: 'each' });
      return source;
    } catch (error) {
      await source.destroy();
      throw asSqlError(error);
    }
  });
}

async function onConnection<T>(source: DataSource, work: (sql: Sql) => Promise<T>): Promise<T> {
  const runner = source.createQueryRunner();
  try {
    return await work(sqlOn(runner));
  } finally {
    await runner.release();
  }
}

/** What the work throws is passed on as it is; a DomainError has a `code` too. */
async function inTransaction<T>(source: DataSource, work: (tx: Sql) => Promise<T>): Promise<T> {
  let thrown: { readonly error: unknown } | undefined;
  try {
    return await source.transaction('READ COMMITTED', async (manager) => {
      if (!manager.queryRunner) throw new Error('A transaction has no connection.');
      try {
        return await work(sqlOn(manager.queryRunner));
      } catch (error) {
        thrown = { error };
        throw error;
      }
    });
  } catch (error) {
    throw thrown ? thrown.error : asSqlError(error);
  }
}

/** Errors: SqlError when there is no connection; Error when an applied migration differs. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const source = await migrated(options);
  return {
    url: options.url,
    rows: <T>(sql: string, values?: readonly unknown[]) =>
      onConnection(source, (connection) => connection.rows<T>(sql, values)),
    run: (sql, values) => onConnection(source, (connection) => connection.run(sql, values)),
    transaction: (work) => inTransaction(source, work),
    close: async () => {
      if (source.isInitialized) await source.destroy();
    },
  };
}
