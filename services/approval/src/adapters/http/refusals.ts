import { DomainError } from '@patchtrail/event-sourcing';
import { WrongExpectedRevision } from '@patchtrail/event-store';
import { notFound, Problem } from '@patchtrail/platform';

/** Refusals of what was sent, whatever the state: their detail is `field: rule`. */
const UNPROCESSABLE: ReadonlySet<string> = new Set([
  'invalid-plan',
  'invalid-policy',
  'invalid-patches',
  'invalid-selector',
  'unknown-group',
  'unknown-patch',
  'unknown-plan-template',
  'change-too-large',
  'digest-mismatch',
]);
const ABSENT: ReadonlySet<string> = new Set(['not-requested', 'not-defined', 'not-proposed']);

/** Does the work; `what` is named when there is no such resource: `approval request 7f3a…`. */
export async function refusing<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof WrongExpectedRevision && error.actual === 'no-stream') {
      throw notFound(what);
    }
    if (error instanceof DomainError) throw refusalOf(error, what);
    throw error;
  }
}

function refusalOf(error: DomainError, what: string): Error {
  if (ABSENT.has(error.code)) return notFound(what);
  if (!UNPROCESSABLE.has(error.code)) return error;
  const detail = error.detail ?? error.code;
  const colon = detail.indexOf(': ');
  const fault = { field: detail.slice(0, colon), rule: detail.slice(colon + 2) };
  return new Problem(422, error.code, detail, [fault]);
}
