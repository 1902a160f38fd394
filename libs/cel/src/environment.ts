/**
 * What an expression may look at. `whole` is a safe integer; a list says how long it may get, for
 * that bounds what an evaluation can cost; `oneOf` is a closed set of strings.
 */
export type ValueType =
  | 'text'
  | 'whole'
  | 'flag'
  | Readonly<{ oneOf: readonly string[] }>
  | Readonly<{ listOf: ValueType; max: number }>
  | Readonly<{ fields: Environment }>;

/** Names of the variables or fields and their types. */
export type Environment = Readonly<{ [name: string]: ValueType }>;

type ValueOf<T> = T extends 'text'
  ? string
  : T extends 'whole'
    ? number
    : T extends 'flag'
      ? boolean
      : T extends { readonly oneOf: readonly (infer V)[] }
        ? V
        : T extends { readonly listOf: infer I }
          ? readonly ValueOf<I>[]
          : T extends { readonly fields: infer F }
            ? DataOf<F>
            : never;

/** The data an environment declares, as a TypeScript type. */
export type DataOf<E> = { readonly [K in keyof E]: ValueOf<E[K]> };

const TEXT_LENGTH_MAX = 4_000;

/** Data that is not what the environment declares; `field` is its path, `rule` what it breaks. */
export class UndeclaredData extends Error {
  constructor(
    readonly field: string,
    readonly rule: string,
  ) {
    super(`${field}: ${rule}`);
    this.name = 'UndeclaredData';
  }
}

type Bound = string | boolean | bigint | readonly Bound[] | ReadonlyMap<string, Bound>;

/** The variables as the evaluator takes them. @throws UndeclaredData */
export function bind(environment: Environment, data: unknown): Record<string, Bound> {
  return Object.fromEntries(bindFields(environment, data, ''));
}

function bindFields(fields: Environment, data: unknown, path: string): Map<string, Bound> {
  if (typeof data !== 'object' || data === null)
    throw new UndeclaredData(path, 'must be an object');
  const values = new Map<string, unknown>(Object.entries(data));
  const extra = [...values.keys()].find((name) => !Object.hasOwn(fields, name));
  if (extra !== undefined) throw new UndeclaredData(join(path, extra), 'is not declared');
  return new Map(
    Object.entries(fields).map(([name, type]) => [
      name,
      bindValue(type, values.get(name), join(path, name)),
    ]),
  );
}

const join = (path: string, name: string) => (path === '' ? name : `${path}.${name}`);

function bindValue(type: ValueType, value: unknown, path: string): Bound {
  if (typeof type === 'string') return bindScalar(type, value, path);
  if ('fields' in type) return bindFields(type.fields, value, path);
  if ('oneOf' in type) {
    if (typeof value === 'string' && type.oneOf.includes(value)) return value;
    throw new UndeclaredData(path, `must be one of ${type.oneOf.join(', ')}`);
  }
  if (!Array.isArray(value)) throw new UndeclaredData(path, 'must be a list');
  if (value.length > type.max) {
    throw new UndeclaredData(path, `must have at most ${String(type.max)} items`);
  }
  return value.map((item: unknown, index) =>
    bindValue(type.listOf, item, `${path}[${String(index)}]`),
  );
}

function bindScalar(type: 'text' | 'whole' | 'flag', value: unknown, path: string): Bound {
  switch (type) {
    case 'flag':
      if (typeof value === 'boolean') return value;
      throw new UndeclaredData(path, 'must be true or false');
    case 'whole':
      if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
      throw new UndeclaredData(path, 'must be a whole number');
    case 'text':
      if (typeof value === 'string' && value.length <= TEXT_LENGTH_MAX) return value;
      throw new UndeclaredData(
        path,
        `must be text of at most ${String(TEXT_LENGTH_MAX)} characters`,
      );
  }
}
