import { Count, Instant, nullable } from '@patchtrail/contracts';
import { ApiOperation } from '@nestjs/swagger';
import { CloneType, type TProperties, type TSchema, Type } from '@sinclair/typebox';
import { noteAnswer } from './route-facts.js';

/** What a route does or shows, in a sentence; a documented route needs one. */
export function Summary(sentence: string): MethodDecorator {
  return ApiOperation({ summary: sentence });
}

/**
 * What a route answers when it succeeds. `orNothing`: or 204, when there is nothing to say.
 * A schema that has a name is documented once, under it.
 */
export function Answers(
  schema: TSchema,
  { orNothing = false }: Readonly<{ orNothing?: boolean }> = {},
): MethodDecorator {
  return (_target, _name, descriptor) => {
    const handler: unknown = descriptor.value;
    if (typeof handler === 'function') noteAnswer(handler, { schema, orNothing });
  };
}

/** The snapshot of a screen: what `snapshot` returns for data of this schema. */
export function Shows(data: TSchema): MethodDecorator {
  return Answers(
    Type.Object({
      asOf: Instant,
      position: nullable(Type.String()),
      lagMs: Count,
      partial: Type.Array(Type.String()),
      data,
    }),
  );
}

/** The snapshot of one page of a list, as `paged` returns it, with what else it says. */
export function ShowsList(item: TSchema, beside: TProperties = {}): MethodDecorator {
  const items = Type.Array(item);
  return Shows(Type.Object({ ...beside, items, nextPageToken: nullable(Type.String()) }));
}

/** The same schema under a name of its own in the document. */
export function named<S extends TSchema>(name: string, schema: S): S {
  return CloneType(schema, { title: name });
}
