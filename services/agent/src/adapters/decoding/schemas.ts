import { type TSchema, type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { FAILURE_CLASSES } from '../../domain/failure.js';

const Null = Type.Null();
const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Null]);
export const oneOf = <const T extends readonly string[]>(values: T) =>
  Type.Unsafe<T[number]>(Type.Union(values.map((value) => Type.Literal(value))));

export const Id = Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' });
// These three become arguments of apt-get; none of them can be taken for an option or a removal.
export const PackageName = Type.String({ pattern: '^[a-z0-9][a-z0-9+.-]*$', maxLength: 200 });
export const PackageVersion = Type.String({
  pattern: '^[0-9A-Za-z][0-9A-Za-z.+:~-]*(?<!-)$',
  maxLength: 200,
});
export const Architecture = Type.String({ pattern: '^[a-z0-9][a-z0-9-]*$', maxLength: 50 });
const Text = Type.String({ maxLength: 4_000 });
const Instant = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?Z$' });

export const LeaseSchema = Type.Object({
  attemptId: Id,
  rolloutId: Id,
  endpointId: Id,
  ring: Text,
  kind: oneOf(['install', 'rollback'] as const),
  epoch: Type.Integer({ minimum: 0 }),
  leaseExpiresAt: Instant,
  patches: Type.Array(
    Type.Object({
      patchId: Id,
      sourcePackage: PackageName,
      sourceVersion: PackageVersion,
      artifacts: Type.Array(
        Type.Object({
          package: PackageName,
          version: PackageVersion,
          architecture: Architecture,
          uri: Text,
          sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
          size: Type.Integer({ minimum: 0 }),
        }),
        { maxItems: 1_000 },
      ),
    }),
    { maxItems: 100 },
  ),
  rollbackOf: nullable(Id),
});

const TransactionSchema = Type.Object({
  changes: Type.Array(
    Type.Object({
      package: PackageName,
      architecture: Architecture,
      from: nullable(PackageVersion),
      to: nullable(PackageVersion),
      automatic: Type.Boolean(),
      residualConfig: Type.Boolean(),
      kept: nullable(Type.Object({ path: Text, sha256: Text })),
    }),
  ),
});

export const OutcomeSchema = Type.Object({
  outcome: oneOf([
    'verified',
    'already-compliant',
    'failed',
    'rolled-back',
    'rollback-failed',
  ] as const),
  class: oneOf([...FAILURE_CLASSES, ''] as const),
  transient: Type.Boolean(),
  detail: Type.String(),
  versions: Type.Array(
    Type.Object({
      package: Type.String(),
      architecture: Type.String(),
      before: nullable(Type.String()),
      after: nullable(Type.String()),
    }),
  ),
  deviceTime: Instant,
});

const entry = <const T extends string, P extends Record<string, TSchema>>(type: T, properties: P) =>
  Type.Object({ type: Type.Literal(type), at: Instant, attemptId: Id, ...properties });

export const JournalEntrySchema = Type.Union([
  entry('received', { lease: LeaseSchema }),
  entry('simulated', { transaction: TransactionSchema }),
  entry('confirmed', {}),
  entry('dropped', { reason: Type.String() }),
  entry('started', {}),
  entry('finished', { outcome: OutcomeSchema }),
  entry('reported', { refusal: nullable(Type.String()) }),
]);

/** Thrown for a document that does not have the form it must have; names the field and the rule. */
export class Malformed extends Error {
  constructor(
    what: string,
    readonly field: string,
    readonly rule: string,
  ) {
    super(`${what}: ${field}: ${rule}`);
    this.name = 'Malformed';
  }
}

/** @throws Malformed */
export function decode<S extends TSchema>(what: string, schema: S, value: unknown): Static<S> {
  if (Value.Check(schema, value)) return value;
  const error = Value.Errors(schema, value).First();
  throw new Malformed(what, error?.path ?? '/', error?.message ?? 'is malformed');
}

/** @throws Malformed */
export function decodeJson<S extends TSchema>(what: string, schema: S, text: string): Static<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Malformed(what, '/', 'must be JSON');
  }
  return decode(what, schema, value);
}
