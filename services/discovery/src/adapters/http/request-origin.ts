import { coversDepartment, type Principal } from '@patchtrail/auth';
import type { Database } from '@patchtrail/postgres';
import { type CommandInput, notFound, once, personOf, problem } from '@patchtrail/platform';
import type { Origin, Tx } from '../../application/ports.js';
import { bindTx } from '../postgres/tx.js';

export const DISCOVERY_DB = Symbol('DISCOVERY_DB');

export function originOf({ context }: CommandInput): Origin {
  const { actor, at, correlationId, causationId, traceparent } = context;
  return { actor, at, correlationId, causationId, traceparent };
}

/** One use case in one transaction, together with the idempotency key of its request. */
export function runOnce<T>(
  db: Database,
  command: CommandInput,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  return once(db, command.idempotency, (sql) => work(bindTx(sql, originOf(command))));
}

/** 403 unless the person may act for the department. */
export function assertDepartment(caller: Principal, department: string): void {
  if (coversDepartment(personOf(caller), department)) return;
  throw problem('not-in-scope', `The department ${department} is not among yours.`);
}

/** What lies in another department looks the same as what does not exist. */
export function assertVisible(caller: Principal, department: string, what: string): void {
  if (!coversDepartment(personOf(caller), department)) throw notFound(what);
}
