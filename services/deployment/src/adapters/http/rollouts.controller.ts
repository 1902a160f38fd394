import { Body, Get, HttpCode, Inject, Post, Query } from '@nestjs/common';
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
  Reply,
  Shows,
  ShowsList,
  snapshot,
  withEtag,
  Summary,
} from '@patchtrail/platform';
import {
  cancelRollout,
  haltRollout,
  type Operate,
  type Precondition,
  requestRollback,
} from '../../application/operate.js';
import { viewRollout, VIEWED_ENDPOINTS_MAX } from '../../application/view-rollout.js';
import { OperatedRolloutAnswer, RolloutAnswer, RolloutRow } from './answers.js';
import { DEPLOYMENT_CONTEXT, type DeploymentContext } from './deployment-context.js';
import { ReasonDto, RolloutsQuery } from './dto.js';
import { refusing } from './refusals.js';

const CUT = `Only the first ${VIEWED_ENDPOINTS_MAX} endpoints are listed; every count is whole.`;
const named = (id: string) => `rollout ${id}`;

@Api('v1/rollouts')
export class RolloutsController {
  constructor(@Inject(DEPLOYMENT_CONTEXT) private readonly context: DeploymentContext) {}

  @Summary('Rollouts, newest first.')
  @Get()
  @For('platform-engineer', 'approver', 'auditor')
  @ShowsList(RolloutRow)
  async list(@Query() query: RolloutsQuery) {
    const filter = { requestId: query.requestId ?? null };
    const page = pageOf(query, filter);
    const facts = this.context.freshness();
    const rows = await this.context.lists.rollouts(filter, page);
    return snapshot(
      paged(rows, page, filter, ({ number }) => number),
      facts,
    );
  }

  @Summary('A rollout, its rings and where each of them stands.')
  @Get(':id')
  @For('platform-engineer', 'approver', 'auditor')
  @Shows(RolloutAnswer)
  async one(@Id() id: string, @AsOf() asOf: string | undefined, @Reply() reply: HttpReply) {
    const viewed = await viewRollout(this.context.streams, id, asOf);
    if (viewed === null) throw notFound(named(id));
    const { view, revision, position, isCut } = viewed;
    withEtag(reply, revision);
    return snapshot(view, { asOf, position, lagMs: 0, partial: isCut ? [CUT] : [] });
  }

  @Summary('Halt a rollout: nobody gets a lease any more.')
  @Post(':id/halts')
  @HttpCode(200)
  @For('platform-engineer')
  @Answers(OperatedRolloutAnswer)
  async halt(
    @Id() id: string,
    @Body() body: ReasonDto,
    @IfMatch() ifMatch: Precondition,
    @Command() command: CommandInput,
    @Reply() reply: HttpReply,
  ) {
    return this.operate(haltRollout, { id, body, ifMatch, command, reply });
  }

  @Summary('Roll a halted rollout back: touched endpoints get their prior versions.')
  @Post(':id/rollbacks')
  @HttpCode(200)
  @For('platform-engineer')
  @Answers(OperatedRolloutAnswer)
  async rollback(
    @Id() id: string,
    @Body() body: ReasonDto,
    @IfMatch() ifMatch: Precondition,
    @Command() command: CommandInput,
    @Reply() reply: HttpReply,
  ) {
    return this.operate(requestRollback, { id, body, ifMatch, command, reply });
  }

  @Summary('Cancel a rollout: what has not begun is skipped.')
  @Post(':id/cancellation')
  @HttpCode(200)
  @For('platform-engineer')
  @Answers(OperatedRolloutAnswer)
  async cancel(
    @Id() id: string,
    @Body() body: ReasonDto,
    @IfMatch() ifMatch: Precondition,
    @Command() command: CommandInput,
    @Reply() reply: HttpReply,
  ) {
    return this.operate(cancelRollout, { id, body, ifMatch, command, reply });
  }

  private async operate(operate: Operate, asked: Asked) {
    const { id: rolloutId, body, ifMatch: precondition, command, reply } = asked;
    await claim(this.context.db, command.idempotency);
    const operation = { rolloutId, reason: body.reason, precondition };
    const { state, revision } = await refusing(named(rolloutId), () =>
      operate(this.context.streams, operation, command.context),
    );
    if (state.status === 'absent') throw notFound(named(rolloutId));
    withEtag(reply, revision);
    return { rolloutId, status: state.outcome ?? state.status, epoch: state.epoch, revision };
  }
}

type Asked = Readonly<{
  id: string;
  body: ReasonDto;
  ifMatch: Precondition;
  command: CommandInput;
  reply: HttpReply;
}>;
