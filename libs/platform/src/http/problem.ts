import { ContractViolation } from '@patchtrail/contracts';
import { DomainError } from '@patchtrail/event-sourcing';
import {
  AppendTooLarge,
  EventStoreBusy,
  EventStoreUnavailable,
  TooBusy,
  WrongExpectedRevision,
} from '@patchtrail/event-store';
import { KeysUnavailable } from '@patchtrail/auth';
import { isContended, isUnreachable } from '@patchtrail/postgres';
import { statusOf, titleOf } from './problem-codes.js';

/** `field` is a path into the request: `rings[0].cap.value`. */
export type FieldError = Readonly<{ field: string; rule: string }>;

/** A refusal with its HTTP status; becomes `application/problem+json` (RFC 9457). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly errors: readonly FieldError[] = [],
  ) {
    super(`${code}: ${detail}`);
    this.name = 'Problem';
  }
}

export type ProblemDocument = Readonly<{
  /** `urn:patchtrail:problem:<code>` */
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  traceId: string;
  errors?: readonly FieldError[];
}>;

/** A refusal whose status stands in the table of problem codes. */
export function problem(code: string, detail: string, errors: readonly FieldError[] = []): Problem {
  return new Problem(statusOf(code), code, detail, errors);
}

/** 404 `not-found`; `what` is a noun with its id: `endpoint 7f3a…`. */
export function notFound(what: string): Problem {
  return problem('not-found', `There is no ${what}.`);
}

type Refusing = <T>(what: string, work: () => Promise<T>) => Promise<T>;

/**
 * Does the work; `what` is named when there is no such resource: `rollout 7f3a…`. That is so where
 * its stream does not exist, and where the domain says so by one of the codes.
 */
export function refusingAbsent(codes: readonly string[]): Refusing {
  return async (what, work) => {
    try {
      return await work();
    } catch (error) {
      const hasNoStream = error instanceof WrongExpectedRevision && error.actual === 'no-stream';
      const isSaid = error instanceof DomainError && codes.includes(error.code);
      throw hasNoStream || isSaid ? notFound(what) : error;
    }
  };
}

/** 400 `invalid-request` for one field. */
export function invalidField(field: string, rule: string): Problem {
  return problem('invalid-request', `${field} ${rule}.`, [{ field, rule }]);
}

const UNAVAILABLE =
  'What this needs does not answer. It may have been done all the same: repeat it with the same Idempotency-Key.';

/** The refusal that an error stands for; `null` when it is unexpected. */
export function asProblem(error: unknown): Problem | null {
  if (error instanceof Problem) return error;
  if (error instanceof DomainError) {
    const detail = error.detail ?? `Refused: ${error.code}.`;
    return problem(error.code, detail, fieldsIn(error));
  }
  if (error instanceof WrongExpectedRevision) {
    return problem('stale-revision', 'The resource has changed since the revision in If-Match.');
  }
  if (error instanceof ContractViolation) {
    const errors = [{ field: pathOf(error.field), rule: error.rule }];
    return problem('contract-violation', `${error.type} does not fit its contract.`, errors);
  }
  if (error instanceof AppendTooLarge) {
    return problem('append-too-large', 'What would be recorded is larger than one append may be.');
  }
  return notNow(error);
}

/** Of what was sent and can never be done, the detail is `field: rule`. */
function fieldsIn({ code, detail }: DomainError): readonly FieldError[] {
  const [, field, rule] = /^([\w[\].-]+): (.+)$/s.exec(detail ?? '') ?? [];
  const isSaid = field !== undefined && rule !== undefined && statusOf(code) === 422;
  return isSaid ? [{ field, rule }] : [];
}

/** 503: the same request may do later. */
function notNow(error: unknown): Problem | null {
  if (error instanceof TooBusy || error instanceof EventStoreBusy) {
    return problem('busy', 'Too much is asked at the moment. Nothing was done: ask again later.');
  }
  if (error instanceof EventStoreUnavailable || isUnreachable(error) || isContended(error)) {
    return problem('unavailable', UNAVAILABLE);
  }
  if (error instanceof KeysUnavailable) {
    return problem('keys-unavailable', 'Tokens cannot be verified at the moment.');
  }
  return null;
}

export function problemDocument(refusal: Problem, traceId: string): ProblemDocument {
  const { code, status, detail, errors } = refusal;
  const type = `urn:patchtrail:problem:${code}`;
  const fields = errors.length === 0 ? {} : { errors };
  return { type, title: titleOf(code), status, code, detail, traceId, ...fields };
}

/** `/rings/0/cap` as `rings[0].cap`. */
export function pathOf(pointer: string): string {
  return pointer
    .split('/')
    .filter((part) => part !== '')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((path, part) => joinPath(path, part), '');
}

export function joinPath(path: string, part: string): string {
  if (/^\d+$/.test(part)) return `${path}[${part}]`;
  return path === '' ? part : `${path}.${part}`;
}
