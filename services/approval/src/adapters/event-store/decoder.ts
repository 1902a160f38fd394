import type { Static, TSchema } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';

/** Stored data, once it fits the schema; otherwise the error names the field and the rule. */
export function decoder<S extends TSchema>(schema: S): (data: unknown) => Static<S> {
  return (data) => {
    const error = Value.Errors(schema, data).First();
    if (error === undefined && Value.Check(schema, data)) return data;
    throw new TypeError(`${error?.path ?? '/'}: ${error?.message ?? 'does not fit'}`);
  };
}
