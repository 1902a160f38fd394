import { type CloudEvent, ContractViolation } from '@patchtrail/contracts';
import { DomainError } from '@patchtrail/event-sourcing';
import type { Sql } from '@patchtrail/postgres';
import type { Delivery } from './bus.js';
import { type Refusal, refuse } from './inbox.js';

/** The effect of a message, in the transaction that also remembers the message. */
export type Apply = (tx: Sql, message: CloudEvent) => Promise<void>;

/**
 * A refusal undoes what `apply` has written and takes its place in the transaction.
 * @returns the refusal, if it was one
 */
export async function applyOrRefuse(
  tx: Sql,
  group: string,
  delivery: Delivery,
  apply: Apply,
): Promise<Refusal | null> {
  await tx.run('SAVEPOINT effect');
  try {
    await apply(tx, delivery.message);
    return null;
  } catch (error) {
    if (!(error instanceof DomainError || error instanceof ContractViolation)) throw error;
    await tx.run('ROLLBACK TO SAVEPOINT effect');
    await refuse(tx, group, delivery, error);
    return error;
  }
}
