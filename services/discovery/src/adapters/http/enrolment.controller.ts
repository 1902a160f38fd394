import { createHash, randomBytes } from 'node:crypto';
import { Body, Inject, Post } from '@nestjs/common';
import type { Principal } from '@patchtrail/auth';
import {
  BUSINESS_IMPACTS,
  type BusinessImpact,
  type Environment,
  ENVIRONMENTS,
  type Exposure,
  EXPOSURES,
} from '@patchtrail/contracts';
import {
  Answers,
  Api,
  Caller,
  Command,
  type CommandInput,
  For,
  ForAnyone,
  Nested,
  OneOf,
  Optional,
  problem,
  Text,
  TextMap,
  Whole,
  Summary,
} from '@patchtrail/platform';
import type { Database } from '@patchtrail/postgres';
import { v7 as uuidv7 } from 'uuid';
import { enrolEndpoint, issueEnrolmentToken } from '../../application/enrol-endpoint.js';
import type { AssignedAttributes } from '../../domain/endpoint-attributes.js';
import { EnrolledAnswer, IssuedTokenAnswer } from './answers.js';
import { assertDepartment, DISCOVERY_DB, runOnce } from './request-origin.js';

const LABELS_MAX = 50;
const TTL_SECONDS_MAX = 86_400;

class EnrolmentAttributes {
  @Text({ max: 100 }) department!: string;
  @OneOf(ENVIRONMENTS) environment!: Environment;
  @OneOf(BUSINESS_IMPACTS) businessImpact!: BusinessImpact;
  @OneOf(EXPOSURES) exposure!: Exposure;
  @Text({ min: 0, max: 100 }) @Optional() location?: string;
  @Text({ min: 0, max: 100 }) @Optional() deviceType?: string;
  @Text({ min: 0, max: 100 }) @Optional() owner?: string;
  /** IANA name. */
  @Text({ max: 64 }) @Optional() timeZone?: string;
  @TextMap({ max: LABELS_MAX }) @Optional() labels?: Record<string, string>;
}

class IssueEnrolmentToken {
  @Nested(() => EnrolmentAttributes) attributes!: EnrolmentAttributes;
  @Whole({ min: 1, max: TTL_SECONDS_MAX }) ttlSeconds!: number;
}

class ReportedPlatform {
  @Text({ max: 40 }) os!: string;
  @Text({ max: 40 }) release!: string;
  @Text({ min: 0, max: 40 }) codename!: string;
  @Text({ max: 40 }) architecture!: string;
}

class EnrolEndpoint {
  @Text({ pattern: /^pten_[A-Za-z0-9_-]{43}$/ }) token!: string;
  /** SHA-256 of the secret that the agent made and keeps. */
  @Text({ pattern: /^sha256:[0-9a-f]{64}$/ }) credentialDigest!: string;
  @Text({ max: 253 }) hostname!: string;
  @Nested(() => ReportedPlatform) platform!: ReportedPlatform;
  @Text({ min: 0, max: 200 }) hardwareModel!: string;
  @Text({ max: 40 }) agentVersion!: string;
}

function withDefaults(attributes: EnrolmentAttributes): AssignedAttributes {
  const { department, environment, businessImpact, exposure } = attributes;
  const { location = '', deviceType = '', owner = '', timeZone = 'UTC', labels = {} } = attributes;
  const said = { department, environment, businessImpact, exposure };
  return { ...said, location, deviceType, owner, timeZone, labels };
}

function digestOfToken(token: string): string {
  return `sha256:${createHash('sha256').update(token).digest('hex')}`;
}

/** One-time tokens, each for one endpoint. */
@Api('v1/enrolment-tokens')
export class EnrolmentTokensController {
  constructor(@Inject(DISCOVERY_DB) private readonly db: Database) {}

  /** The token is in this answer and nowhere else. */
  @Summary('Issue a one-time token with which an endpoint enrols; it is shown this once.')
  @Post()
  @For('platform-engineer')
  @Answers(IssuedTokenAnswer)
  async issue(
    @Body() body: IssueEnrolmentToken,
    @Caller() caller: Principal,
    @Command() command: CommandInput,
  ) {
    const attributes = withDefaults(body.attributes);
    assertDepartment(caller, attributes.department);
    const token = `pten_${randomBytes(32).toString('base64url')}`;
    const tokenId = uuidv7();
    const expiresAt = new Date(
      Date.parse(command.context.at) + body.ttlSeconds * 1_000,
    ).toISOString();
    const kept = await runOnce(this.db, command, async (tx) => {
      const tokenDigest = digestOfToken(token);
      await issueEnrolmentToken(tx, { tokenId, tokenDigest, attributes, expiresAt });
      return { tokenId, expiresAt };
    });
    if (kept.tokenId !== tokenId) {
      throw problem('token-already-shown', `The token ${kept.tokenId} was shown once; ask anew.`);
    }
    return { ...kept, token };
  }
}

/** The way in for an agent. */
@Api('v1/endpoints:enrol')
export class EnrolmentController {
  constructor(@Inject(DISCOVERY_DB) private readonly db: Database) {}

  /** The one-time token is the check. */
  @Summary('Enrol an endpoint with a one-time token.')
  @Post()
  @ForAnyone()
  @Answers(EnrolledAnswer)
  enrol(@Body() body: EnrolEndpoint, @Command() command: CommandInput) {
    const { token, platform, ...reported } = body;
    const { os, release, codename, architecture } = platform;
    return runOnce(this.db, command, async (tx) => ({
      endpointId: await enrolEndpoint(tx, {
        ...reported,
        platform: { os, release, codename, architecture },
        tokenDigest: digestOfToken(token),
        endpointId: uuidv7(),
        at: command.context.at,
      }),
    }));
  }
}
