import { DomainError } from '@patchtrail/event-sourcing';
import { WrongExpectedRevision } from '@patchtrail/event-store';
import { notFound, Problem } from '@patchtrail/platform';

/** Refusals whose status is not 409. */
const STATUSES: ReadonlyMap<string, number> = new Map([
  ['unknown-lease', 404],
  ['lease-of-another-endpoint', 403],
  ['outcome-not-of-kind', 422],
]);

/** Does the work; `what` is named when there is no such resource: `rollout 7f3a…`. */
export async function refusing<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof WrongExpectedRevision && error.actual === 'no-stream') {
      throw notFound(what);
    }
    if (!(error instanceof DomainError)) throw error;
    if (error.code === 'unknown-rollout' || error.code === 'unknown-endpoint') throw notFound(what);
    const status = STATUSES.get(error.code);
    throw status === undefined ? error : new Problem(status, error.code, error.message);
  }
}
