import { ROLES } from '@patchtrail/auth';
import { EXPRESSION_LENGTH_MAX } from '@patchtrail/cel';
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
import { RULES_MAX, TTL_MS_MAX, TTL_MS_MIN } from '../../domain/approval-policy.js';
import { QUORUM_MAX, STAGES_MAX } from '../../domain/stage.js';
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

class StageDto {
  @Text({ max: 100 }) name!: string;
  @OneOf(ROLES) role!: string;
  @Whole({ min: 1, max: QUORUM_MAX }) quorum!: number;
}

class PolicyRuleDto {
  @Text({ max: 100 }) name!: string;
  /** CEL. */
  @Text({ max: EXPRESSION_LENGTH_MAX }) when!: string;
  @ListOf(() => StageDto, { max: STAGES_MAX }) stages!: StageDto[];
  @Text({ max: 1_000 }) reason!: string;
}

export class PolicyDto {
  @Text({ max: 200 }) name!: string;
  @Whole({ min: TTL_MS_MIN, max: TTL_MS_MAX }) requestTtlMs!: number;
  @ListOf(() => PolicyRuleDto, { min: 1, max: RULES_MAX }) rules!: PolicyRuleDto[];
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
