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
import { definePlanTemplate, revisePlanTemplate } from '../../application/change-templates.js';
import { templateStreamOf } from '../../application/ports.js';
import type { PlanTemplate, PlanTemplateEvent } from '../../domain/plan-template.js';
import { PlanTemplateAnswer, PlanTemplateRow } from './answers.js';
import { APPROVAL_CONTEXT, type ApprovalContext } from './approval-context.js';
import { PlanTemplateDto } from './dto.js';
import { expectedOf } from './if-match.js';
import { refusing } from './refusals.js';

const named = (templateId: string) => `plan template ${templateId}`;

@Api('v1/plan-templates')
export class PlanTemplatesController {
  constructor(@Inject(APPROVAL_CONTEXT) private readonly context: ApprovalContext) {}

  @Summary('Define a rollout plan that requests can name.')
  @Post()
  @For('platform-engineer')
  @Answers(PlanTemplateAnswer)
  async define(
    @Body() body: PlanTemplateDto,
    @Command() { context, idempotency }: CommandInput,
    @Reply() reply: HttpReply,
  ) {
    await claim(this.context.db, idempotency);
    const { templateId, outcome } = await refusing('plan template', () =>
      definePlanTemplate(this.context.templates, rolloutOf(body), context),
    );
    return answer(templateId, outcome, reply);
  }

  @Summary('Add a revision to a plan template.')
  @Post(':id/revisions')
  @HttpCode(200)
  @For('platform-engineer')
  @Answers(PlanTemplateAnswer)
  async revise(
    @Id() id: string,
    @Body() body: PlanTemplateDto,
    @IfMatch() ifMatch: number | '*',
    @Command() { context, idempotency }: CommandInput,
    @Reply() reply: HttpReply,
  ) {
    await claim(this.context.db, idempotency);
    const { templates } = this.context;
    const outcome = await refusing(named(id), () =>
      revisePlanTemplate(templates, id, rolloutOf(body), context, expectedOf(ifMatch)),
    );
    return answer(id, outcome, reply);
  }

  @Summary('Plan templates.')
  @Get()
  @For('platform-engineer', 'approver', 'auditor')
  @ShowsList(PlanTemplateRow)
  async list(@Query() query: PageQuery) {
    const page = pageOf(query, {}, UUID);
    const facts = this.context.freshness();
    const rows = await this.context.lists.templates(page);
    return snapshot(
      paged(rows, page, {}, ({ templateId }) => templateId),
      facts,
    );
  }

  @Summary('A plan template.')
  @Get(':id')
  @For('platform-engineer', 'approver', 'auditor')
  @Shows(PlanTemplateAnswer)
  async one(@Id() id: string, @AsOf() asOf: string | undefined, @Reply() reply: HttpReply) {
    const options = asOf === undefined ? {} : { asOf };
    const loaded = await load(this.context.templates, templateStreamOf(id), options);
    const { position, revision, state } = loaded;
    const shown = view(id, revision, state);
    withEtag(reply, revision);
    return snapshot(shown, { asOf, position, lagMs: 0 });
  }
}

function rolloutOf({ name, rings, leaseMs, retry, rollback }: PlanTemplateDto) {
  return { name, rings, leaseMs, retry, rollback };
}

function view(templateId: string, revision: number, state: PlanTemplate) {
  if (state.status === 'absent') throw notFound(named(templateId));
  const { by, at, ...plan } = state.definition;
  return { templateId, revision, ...plan, changedBy: by, changedAt: at };
}

function answer(
  templateId: string,
  { state, revision }: Handled<PlanTemplate, PlanTemplateEvent>,
  reply: HttpReply,
) {
  withEtag(reply, revision);
  return view(templateId, revision, state);
}
