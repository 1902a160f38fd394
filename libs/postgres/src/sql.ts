import type { QueryResult, QueryRunner } from 'typeorm';
import { QueryFailedError } from 'typeorm';
import { errorField, errorText } from './error-field.js';

/** Parameters are `$1`, `$2`, …; bigint columns come back as strings, timestamptz as Date. */
export type Sql = {
  /** Any statement that returns rows, RETURNING included. The shape is the caller's claim. */
  rows<T>(sql: string, values?: readonly unknown[]): Promise<T[]>;
  /** How many rows the statement affected; 0 for statements that count none. */
  run(sql: string, values?: readonly unknown[]): Promise<number>;
};

/** A statement failed. `code` is the SQLSTATE, or Node's code where no server answered. */
export class SqlError extends Error {
  override readonly name = 'SqlError';

  readonly code: string | undefined;
  readonly constraint: string | undefined;

  constructor(message: string, code: string | undefined, constraint: string | undefined) {
    super(message);
    this.code = code;
    this.constraint = constraint;
  }
}

/** Connection exception, insufficient resources, operator intervention, or Node's: ECONNREFUSED. */
const UNREACHABLE = /^(08|53|57|E[A-Z]{4})/;

/** The server gave no answer, or cannot at the moment; whether it did what it was asked is unknown. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof SqlError && (error.code === undefined || UNREACHABLE.test(error.code));
}

/** Neither statement nor parameters reach the error: they may hold secrets, and errors are logged. */
export function asSqlError(error: unknown): unknown {
  if (error instanceof QueryFailedError) return asSqlError(error.driverError);
  if (error instanceof SqlError) return error;
  const code = errorField(error, 'code');
  const message = errorText(error);
  if (code === undefined && !message.startsWith('Connection terminated')) return error;
  return new SqlError(message || String(code), code, errorField(error, 'constraint'));
}

const CONTENDED = ['55P03', '40P01', '40001'];

/** A lock timeout, a deadlock or a serialization failure: the same may do later. */
export function isContended(error: unknown): boolean {
  return error instanceof SqlError && CONTENDED.some((code) => code === error.code);
}

/** Statements on one connection. TypeORM's structured result has one shape for all of them. */
export function sqlOn(runner: QueryRunner): Sql {
  const query = async <T>(sql: string, values?: readonly unknown[]): Promise<QueryResult<T>> => {
    try {
      return await runner.query(sql, values && [...values], true);
    } catch (error) {
      throw asSqlError(error);
    }
  };
  return {
    rows: async <T>(sql: string, values?: readonly unknown[]) =>
      (await query<T>(sql, values)).records,
    run: async (sql, values) => (await query(sql, values)).affected ?? 0,
  };
}
