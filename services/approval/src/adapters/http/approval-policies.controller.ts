import { Body, Get, HttpCode, Inject, Post, Query } from '@nestjs/common';
import { type Handled, load } from '@patchtrail/event-store';
import {
  Answers,
  Api,
  AsOf,
  claim,
  Command,
  type CommandInput,
  For,
  type HttpReply,
  Id,
  IfMatch,
  notFound,
  paged,
  pageOf,
  PageQuery,
  Reply,
  Shows,
  ShowsList,
  snapshot,
  UUID,
  withEtag,
  Summary,
} from '@patchtrail/platform';
import { activatePolicy, proposePolicy } from '../../application/change-policies.js';
import { policyStreamOf } from '../../application/ports.js';
import type { ApprovalPolicy, ApprovalPolicyEvent } from '../../domain/approval-policy.js';
import { ApprovalPolicyAnswer, ApprovalPolicyRow } from './answers.js';
import { APPROVAL_CONTEXT, type ApprovalContext } from './approval-context.js';
import { PolicyDto } from './dto.js';
import { expectedOf } from './if-match.js';
import { refusing } from './refusals.js';

const named = (policyId: string) => `approval policy ${policyId}`;

@Api('v1/approval-policies')
export class ApprovalPoliciesController {
  constructor(@Inject(APPROVAL_CONTEXT) private readonly context: ApprovalContext) {}

  @Summary('Propose a policy; it applies once somebody else activates it.')
  @Post()
  @For('platform-engineer')
  @Answers(ApprovalPolicyAnswer)
  async propose(
    @Body() body: PolicyDto,
    @Command() { context, idempotency }: CommandInput,
    @Reply() reply: HttpReply,
  ) {
    await claim(this.context.db, idempotency);
    const { policyId, outcome } = await refusing('approval policy', () =>
      proposePolicy(this.context.policies, plain(body), context),
    );
    return answer(policyId, outcome, reply);
  }

  @Summary('Activate a policy that somebody else has proposed.')
  @Post(':id/activation')
  @HttpCode(200)
  @For('platform-engineer', 'approver')
  @Answers(ApprovalPolicyAnswer)
  async activate(
    @Id() id: string,
    @IfMatch() ifMatch: number | '*',
    @Command() { context, idempotency }: CommandInput,
    @Reply() reply: HttpReply,
  ) {
    await claim(this.context.db, idempotency);
    const outcome = await refusing(named(id), () =>
      activatePolicy(this.context.policies, id, context, expectedOf(ifMatch)),
    );
    // The next request must be decided by it: which policy is active stands in a read model.
    await this.context.settled(outcome.position);
    return answer(id, outcome, reply);
  }

  @Summary('Approval policies.')
  @Get()
  @For('platform-engineer', 'approver', 'auditor')
  @ShowsList(ApprovalPolicyRow)
  async list(@Query() query: PageQuery) {
    const page = pageOf(query, {}, UUID);
    const facts = this.context.freshness();
    const rows = await this.context.lists.policies(page);
    return snapshot(
      paged(rows, page, {}, ({ policyId }) => policyId),
      facts,
    );
  }

  @Summary('An approval policy.')
  @Get(':id')
  @For('platform-engineer', 'approver', 'auditor')
  @Shows(ApprovalPolicyAnswer)
  async one(@Id() id: string, @AsOf() asOf: string | undefined, @Reply() reply: HttpReply) {
    const options = asOf === undefined ? {} : { asOf };
    const loaded = await load(this.context.policies, policyStreamOf(id), options);
    const { position, revision, state } = loaded;
    const shown = view(id, revision, state);
    withEtag(reply, revision);
    return snapshot(shown, { asOf, position, lagMs: 0 });
  }
}

/** Without the classes of the DTO, as JSON has it. */
function plain({ name, requestTtlMs, rules }: PolicyDto) {
  return {
    name,
    requestTtlMs,
    rules: rules.map((rule) => ({
      name: rule.name,
      when: rule.when,
      reason: rule.reason,
      stages: rule.stages.map(({ name: stage, role, quorum }) => ({ name: stage, role, quorum })),
    })),
  };
}

function view(policyId: string, revision: number, state: ApprovalPolicy) {
  if (state.status === 'absent') throw notFound(named(policyId));
  const { by, at, name, requestTtlMs, rules } = state.proposal;
  const activation = state.status === 'activated' ? state.activation : null;
  return {
    policyId,
    revision,
    status: state.status,
    name,
    requestTtlMs,
    rules,
    proposedBy: by,
    proposedAt: at,
    activatedBy: activation?.by ?? null,
    activatedAt: activation?.at ?? null,
  };
}

function answer(
  policyId: string,
  { state, revision }: Handled<ApprovalPolicy, ApprovalPolicyEvent>,
  reply: HttpReply,
) {
  withEtag(reply, revision);
  return view(policyId, revision, state);
}
