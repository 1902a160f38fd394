/** A part of a document whose named schemas stand beside it, and what it refers to. */
export type Hoisted = Readonly<{ value: unknown; schemas: ReadonlyMap<string, object> }>;

/**
 * Replaces every schema that has a `title` by a reference to it.
 * @throws Error when two different schemas have the same title
 */
export function hoistNamed(part: unknown): Hoisted {
  const schemas = new Map<string, object>();
  const value: unknown = JSON.parse(JSON.stringify(part), (_key, found: unknown) =>
    isNamed(found) ? reference(found, schemas) : found,
  );
  return { value, schemas };
}

type Named = Readonly<{ title: string }>;

function isNamed(value: unknown): value is Named {
  const isObject = typeof value === 'object' && value !== null;
  return isObject && 'title' in value && typeof value.title === 'string';
}

function reference({ title, ...schema }: Named, schemas: Map<string, object>): object {
  const known = schemas.get(title);
  if (known !== undefined && JSON.stringify(known) !== JSON.stringify(schema)) {
    throw new Error(`Two different schemas are named ${title}.`);
  }
  schemas.set(title, schema);
  return { $ref: `#/components/schemas/${title}` };
}
