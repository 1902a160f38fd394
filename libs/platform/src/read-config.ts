import type { Static, TObject, TSchema } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';

export type ConfigIssue = Readonly<{ variable: string; rule: string }>;

/** Names variables and rules, never values: a value may be a secret. */
export class ConfigError extends Error {
  constructor(readonly issues: readonly ConfigIssue[]) {
    super(issues.map(({ variable, rule }) => `${variable}: ${rule}`).join('; '));
    this.name = 'ConfigError';
  }
}

export type Environment = Readonly<Record<string, string | undefined>>;

const OWN_PREFIX = 'PATCHTRAIL_';

/**
 * The variables of a schema whose properties are their names, converted and frozen. An empty
 * variable counts as not set. A `PATCHTRAIL_…` name that neither the schema nor `others` knows is
 * refused, for it is a misspelling.
 * @throws ConfigError
 */
export function readConfig<S extends TObject>(
  env: Environment,
  schema: S,
  { others = [] }: Readonly<{ others?: readonly string[] }> = {},
): Readonly<Static<S>> {
  const names = Object.keys(schema.properties);
  const unknown = Object.keys(env)
    .filter(
      (name) => name.startsWith(OWN_PREFIX) && !names.includes(name) && !others.includes(name),
    )
    .map((variable) => ({ variable, rule: 'is not a known variable' }));
  const given = Object.fromEntries(
    names.flatMap((name) => {
      const text = env[name];
      return text === undefined || text === ''
        ? []
        : [[name, converted(text, schema.properties[name])]];
    }),
  );
  const value = Value.Default(schema, given);
  const issues = [...unknown, ...issuesIn(schema, value)];
  if (issues.length > 0 || !Value.Check(schema, value)) throw new ConfigError(issues);
  return Object.freeze(value);
}

/** Strict, unlike TypeBox's own conversion, which takes 1.5 for the integer 1. */
function converted(text: string, schema: TSchema | undefined): unknown {
  const type: unknown = schema?.['type'];
  if (type === 'integer') return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
  if (type === 'number') return /^-?\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : text;
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  return text;
}

function issuesIn(schema: TObject, value: unknown): readonly ConfigIssue[] {
  const first = new Map<string, string>();
  for (const { path, message } of Value.Errors(schema, value)) {
    const variable = path.split('/')[1] ?? path;
    if (!first.has(variable)) first.set(variable, message);
  }
  return [...first].map(([variable, rule]) => ({ variable, rule }));
}
