import {
  Flag,
  InstantField,
  ListOf,
  OneOf,
  Optional,
  OrNull,
  PageQuery,
  Text,
  Uuid,
  Whole,
} from '@patchtrail/platform';
import type { ReportedOutcome } from '../../domain/wave-part-messages.js';

const REASON_MAX = 2_000;
const DETAIL_MAX = 4_000;
const VERSION_MAX = 300;
const VERSIONS_MAX = 500;
const EPOCH_MAX = 1_000_000;
const OUTCOMES = ['verified', 'already-compliant', 'failed', 'rolled-back', 'rollback-failed'];

export class ReasonDto {
  @Text({ max: REASON_MAX }) reason!: string;
}

export class RolloutsQuery extends PageQuery {
  @Uuid() @Optional() requestId?: string;
}

export class LeaseRequestDto {
  /** The attempt that the agent's journal holds open, or `null`. */
  @Uuid() @OrNull() busyWith!: string | null;
}

export class ConfirmationDto {
  @Whole({ min: 1, max: EPOCH_MAX }) epoch!: number;
}

class PackageVersionDto {
  @Text({ max: 200 }) package!: string;
  @Text({ min: 0, max: 50 }) architecture!: string;
  @Text({ min: 0, max: VERSION_MAX }) @OrNull() before!: string | null;
  @Text({ min: 0, max: VERSION_MAX }) @OrNull() after!: string | null;
}

export class OutcomeDto {
  @Whole({ min: 1, max: EPOCH_MAX }) epoch!: number;
  @OneOf(OUTCOMES) outcome!: ReportedOutcome;
  /** Failure class; empty on success. */
  @Text({ min: 0, max: 100, pattern: /^[a-z0-9-]*$/ }) class!: string;
  /** Worth another attempt. */
  @Flag() transient!: boolean;
  @Text({ min: 0, max: DETAIL_MAX }) detail!: string;
  @ListOf(() => PackageVersionDto, { max: VERSIONS_MAX }) versions!: PackageVersionDto[];
  /** The endpoint's clock. */
  @InstantField() deviceTime!: string;
}
