import type { Plan, Selector } from '@patchtrail/contracts';

/** Types of shaped fields, apart from their schemas, which carry the same names. */
export type PlanBody = Pick<Plan, 'rings' | 'leaseMs' | 'retry' | 'rollback'>;
export type ScopeBody = Selector;
