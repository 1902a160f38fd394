import { Kind, type Static, type TSchema, Type, TypeRegistry } from '@sinclair/typebox';

type LiteralsSchema = { enum: readonly string[] };

TypeRegistry.Set<LiteralsSchema>('Literals', (schema, value) =>
  schema.enum.some((literal) => literal === value),
);

/** A closed set of strings as JSON Schema `enum`. */
export function literals<const T extends readonly string[]>(values: T) {
  return Type.Unsafe<T[number]>({ [Kind]: 'Literals', type: 'string', enum: [...values] });
}

export const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);

export const Id = Type.String({ pattern: '^[0-9a-f-]{36}$' });
/** RFC 3339 in UTC. */
export const Instant = Type.String({
  pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?Z$',
});
export const Digest = Type.String({ pattern: '^sha256:[0-9a-f]{64}$' });
export const Text = Type.String({ minLength: 1, maxLength: 4_000 });
export const Count = Type.Integer({ minimum: 0 });
export const Cve = Type.String({ pattern: '^CVE-\\d{4}-\\d{4,}$' });

export const ENVIRONMENTS = ['production', 'staging', 'development'] as const;
export const BUSINESS_IMPACTS = ['low', 'moderate', 'high', 'mission-critical'] as const;
export const EXPOSURES = ['public', 'controlled', 'none'] as const;
export const CATEGORIES = ['critical-security', 'important', 'feature', 'optional'] as const;
const RESPONSES = ['immediate', 'out-of-cycle', 'scheduled', 'defer'] as const;
/** Compliance of one endpoint with one patch, in AWS Systems Manager's names. */
export const APPLICABILITY_STATES = [
  'INSTALLED',
  'INSTALLED_OTHER',
  'INSTALLED_PENDING_REBOOT',
  'INSTALLED_REJECTED',
  'MISSING',
  'FAILED',
  'NOT_APPLICABLE',
  'UNKNOWN',
] as const;

export const Environment = literals(ENVIRONMENTS);
export const BusinessImpact = literals(BUSINESS_IMPACTS);
export const Exposure = literals(EXPOSURES);
export const Category = literals(CATEGORIES);
export const Response = literals(RESPONSES);
export const ApplicabilityState = literals(APPLICABILITY_STATES);

export type Environment = Static<typeof Environment>;
export type BusinessImpact = Static<typeof BusinessImpact>;
export type Exposure = Static<typeof Exposure>;
export type Category = Static<typeof Category>;
export type Response = Static<typeof Response>;
export type ApplicabilityState = Static<typeof ApplicabilityState>;
