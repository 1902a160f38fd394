import { failureColumns } from '@patchtrail/postgres';

/** An error as bounded text that a column or header can hold. */
export function causeOf(error: unknown): string {
  return failureColumns(error).cause;
}
