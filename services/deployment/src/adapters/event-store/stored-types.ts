import { type TSchema, Type } from '@sinclair/typebox';

/** The schema words that both codecs use. */
export const Count = Type.Integer({ minimum: 0 });

export const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);

export function literals<const T extends readonly string[]>(values: T) {
  return Type.Unsafe<T[number]>(Type.Union(values.map((value) => Type.Literal(value))));
}

export const TimerData = Type.Object({
  timerId: Type.String(),
  dueAt: Type.String(),
  purpose: Type.String(),
  generation: Count,
});
