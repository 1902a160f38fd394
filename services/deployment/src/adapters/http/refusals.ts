import { DomainError } from '@patchtrail/event-sourcing';
import { WrongExpectedRevision } from '@patchtrail/event-store';
import { notFound } from '@patchtrail/platform';

const ABSENT = ['unknown-rollout', 'unknown-endpoint'];

/** Does the work; `what` is named when there is no such resource: `rollout 7f3a…`. */
export async function refusing<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof WrongExpectedRevision && error.actual === 'no-stream') {
      throw notFound(what);
    }
    if (error instanceof DomainError && ABSENT.includes(error.code)) throw notFound(what);
    throw error;
  }
}
