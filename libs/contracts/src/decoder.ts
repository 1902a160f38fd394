import type { Static, TSchema } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';

/** Checks stored data against its schema; a TypeError names the field and its rule. */
export function decoder<S extends TSchema>(schema: S): (data: unknown) => Static<S> {
  const check = TypeCompiler.Compile(schema);
  return (data) => {
    if (check.Check(data)) return data;
    const error = check.Errors(data).First();
    throw new TypeError(`${error?.path ?? '/'}: ${error?.message ?? 'does not fit'}`);
  };
}
