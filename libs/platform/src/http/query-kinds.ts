/** What a text of the query string stands for. */
export type QueryKind = 'number' | 'boolean' | 'list';

const KINDS = 'patchtrail:query-kinds';

function kindsOf(prototype: object): ReadonlyMap<string, QueryKind> {
  const kinds: unknown = Reflect.getMetadata(KINDS, prototype);
  return kinds instanceof Map ? kinds : new Map<string, QueryKind>();
}

export function noteQueryKind(prototype: object, field: string | symbol, kind: QueryKind): void {
  const kinds = new Map(kindsOf(prototype)).set(String(field), kind);
  Reflect.defineMetadata(KINDS, kinds, prototype);
}

/** A query as its DTO means it; what does not convert stays text, and its rule refuses it. */
export function convertQuery(query: object, prototype: object): Record<string, unknown> {
  const kinds = kindsOf(prototype);
  return Object.fromEntries(
    Object.entries(query).map(([name, value]) => [name, convert(value, kinds.get(name))]),
  );
}

function convert(value: unknown, kind: QueryKind | undefined): unknown {
  if (kind === 'list') return Array.isArray(value) ? value : [value];
  if (typeof value !== 'string') return value;
  if (kind === 'number') return /^-?\d{1,16}$/.test(value) ? Number(value) : value;
  if (kind === 'boolean') return value === 'true' ? true : value === 'false' ? false : value;
  return value;
}
