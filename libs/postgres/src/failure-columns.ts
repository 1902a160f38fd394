import { errorField } from './error-field.js';

const CAUSE_MAX = 2_000;
const CODE = /^[\w-]{1,64}$/;

/** What went wrong, as two text columns hold it. */
export type FailureColumns = Readonly<{ code: string; cause: string }>;

/**
 * An error as text that columns can hold: bounded, and without the one character they refuse. The
 * code is the error's own, where it has one: of a refusal, of a bus, or a SQLSTATE.
 */
export function failureColumns(error: unknown): FailureColumns {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const code = errorField(error, 'code');
  return {
    code: code !== undefined && CODE.test(code) ? code : 'unexpected',
    cause: text.replaceAll('\u0000', '\\u0000').slice(0, CAUSE_MAX),
  };
}
