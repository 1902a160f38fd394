import { Body, Get, HttpCode, Inject, Post, Query } from '@nestjs/common';
import type { Person, Principal } from '@patchtrail/auth';
import { type Handled, load } from '@patchtrail/event-store';
import {
  Answers,
  Api,
  AsOf,
  Caller,
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
  personOf,
  Reply,
  Shows,
  ShowsList,
  snapshot,
  UUID,
  withEtag,
  Summary,
} from '@patchtrail/platform';
import { recordDecision, withdrawRequest } from '../../application/decide-request.js';
import { openRequest } from '../../application/open-request.js';
import { requestStreamOf } from '../../application/ports.js';
import type { ApprovalRequest, ApprovalRequestEvent } from '../../domain/approval-request.js';
import { requestCursor } from '../postgres/lists.js';
import { ApprovalRequestAnswer, ApprovalRequestRow } from './answers.js';
import { APPROVAL_CONTEXT, type ApprovalContext } from './approval-context.js';
import { requestView } from './approval-request.view.js';
import { DecisionDto, OpenRequestDto, RequestsQuery, WithdrawalDto } from './dto.js';
import { expectedOf } from './if-match.js';
import { refusing } from './refusals.js';

/** `<requestedAt>|<requestId>` */
const CURSOR = new RegExp(`^[^|]+\\|${UUID.source.slice(1)}`);
const named = (requestId: string) => `approval request ${requestId}`;

@Api('v1/approval-requests')
export class ApprovalRequestsController {
  constructor(@Inject(APPROVAL_CONTEXT) private readonly context: ApprovalContext) {}

  @Summary('Ask for the approval of patches for a scope of endpoints.')
  @Post()
  @For('platform-engineer')
  @Answers(ApprovalRequestAnswer)
  async open(
    @Body() body: OpenRequestDto,
    @Caller() caller: Principal,
    @Command() { context, idempotency }: CommandInput,
    @Reply() reply: HttpReply,
  ) {
    await claim(this.context.db, idempotency);
    const opened = await refusing('approval request', () =>
      openRequest(this.context, inputOf(body, personOf(caller)), context),
    );
    return answer(opened.requestId, opened.outcome, reply);
  }

  @Summary('Approval requests, newest first.')
  @Get()
  @For('platform-engineer', 'approver', 'auditor')
  @ShowsList(ApprovalRequestRow)
  async list(@Query() query: RequestsQuery) {
    const filter = { status: query.status ?? null, patchId: query.patchId ?? null };
    const page = pageOf(query, filter, CURSOR);
    const facts = this.context.freshness();
    const rows = await this.context.lists.requests(filter, page);
    return snapshot(paged(rows, page, filter, requestCursor), facts);
  }

  @Summary('An approval request, its stages and the votes.')
  @Get(':id')
  @For('platform-engineer', 'approver', 'auditor')
  @Shows(ApprovalRequestAnswer)
  async one(@Id() id: string, @AsOf() asOf: string | undefined, @Reply() reply: HttpReply) {
    const options = asOf === undefined ? {} : { asOf };
    const loaded = await load(this.context.requests, requestStreamOf(id), options);
    const { state, revision, position } = loaded;
    if (state.status === 'absent') throw notFound(named(id));
    withEtag(reply, revision);
    return snapshot(requestView(id, revision, state), { asOf, position, lagMs: 0 });
  }

  @Summary('Approve or reject the change that has this digest.')
  @Post(':id/decisions')
  @HttpCode(200)
  // Everybody with a role: who may decide is for the request's own rules, which say why not.
  @For('approver', 'platform-engineer', 'auditor')
  @Answers(ApprovalRequestAnswer)
  async decide(
    @Id() id: string,
    @Body() body: DecisionDto,
    @Caller() caller: Principal,
    @IfMatch() ifMatch: number | '*',
    @Command() { context, idempotency }: CommandInput,
    @Reply() reply: HttpReply,
  ) {
    await claim(this.context.db, idempotency);
    const voter = personOf(caller);
    const { verdict, changeDigest, remark } = body;
    const vote = { verdict, changeDigest, remark };
    const { requests } = this.context;
    const outcome = await refusing(named(id), () =>
      recordDecision(requests, id, voter, vote, context, expectedOf(ifMatch)),
    );
    return answer(id, outcome, reply);
  }

  @Summary("Withdraw an open request of one's own.")
  @Post(':id/withdrawal')
  @HttpCode(200)
  @For('platform-engineer', 'approver')
  @Answers(ApprovalRequestAnswer)
  async withdraw(
    @Id() id: string,
    @Body() { reason }: WithdrawalDto,
    @IfMatch() ifMatch: number | '*',
    @Command() { context, idempotency }: CommandInput,
    @Reply() reply: HttpReply,
  ) {
    await claim(this.context.db, idempotency);
    const { requests } = this.context;
    const outcome = await refusing(named(id), () =>
      withdrawRequest(requests, id, reason, context, expectedOf(ifMatch)),
    );
    return answer(id, outcome, reply);
  }
}

function inputOf(
  { patchIds, scope, planTemplateId, remark }: OpenRequestDto,
  { departments }: Person,
) {
  return { patchIds, scope, planTemplateId, remark, departments };
}

function answer(
  requestId: string,
  { state, revision }: Handled<ApprovalRequest, ApprovalRequestEvent>,
  reply: HttpReply,
) {
  if (state.status === 'absent') throw notFound(named(requestId));
  withEtag(reply, revision);
  return requestView(requestId, revision, state);
}
