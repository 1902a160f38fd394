import { Plan, Selector } from '@patchtrail/contracts';
import {
  ListOf,
  OneOf,
  Optional,
  PageQuery,
  Shaped,
  Text,
  Uuid,
  Whole,
} from '@patchtrail/platform';
import type { PlanBody, ScopeBody } from './bodies.js';

const { rings, leaseMs, retry, rollback } = Plan.properties;
const REMARK_MAX = 4_000;
const PATCHES_MAX = 100;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const STATUSES = ['open', 'granted', 'rejected', 'withdrawn', 'expired'];

export class PlanTemplateDto {
  @Text({ max: 200 }) name!: string;
  @Shaped(rings) rings!: PlanBody['rings'];
  @Shaped(leaseMs) leaseMs!: number;
  @Shaped(retry) retry!: PlanBody['retry'];
  @Shaped(rollback) rollback!: PlanBody['rollback'];
}

export class StageDto {
  @Text({ max: 100 }) name!: string;
  @OneOf(['approver', 'platform-engineer', 'auditor']) role!: string;
  @Whole({ min: 1, max: 20 }) quorum!: number;
}

export class PolicyRuleDto {
  @Text({ max: 100 }) name!: string;
  /** CEL; at most 2,000 characters. */
  @Text({ max: 2_000 }) when!: string;
  @ListOf(() => StageDto, { max: 5 }) stages!: StageDto[];
  @Text({ max: 1_000 }) reason!: string;
}

export class PolicyDto {
  @Text({ max: 200 }) name!: string;
  @Whole({ min: 60_000, max: 7_776_000_000 }) requestTtlMs!: number;
  @ListOf(() => PolicyRuleDto, { min: 1, max: 50 }) rules!: PolicyRuleDto[];
}

export class OpenRequestDto {
  @ListOf('uuid', { min: 1, max: PATCHES_MAX }) patchIds!: string[];
  @Shaped(Selector) scope!: ScopeBody;
  @Uuid() planTemplateId!: string;
  @Text({ min: 0, max: REMARK_MAX }) remark!: string;
}

export class DecisionDto {
  @OneOf(['approve', 'reject']) verdict!: 'approve' | 'reject';
  @Text({ max: 71, pattern: DIGEST }) changeDigest!: string;
  @Text({ min: 0, max: REMARK_MAX }) remark!: string;
}

export class WithdrawalDto {
  @Text({ max: REMARK_MAX }) reason!: string;
}

export class RequestsQuery extends PageQuery {
  @OneOf(STATUSES) @Optional() status?: string;
  @Uuid() @Optional() patchId?: string;
}
