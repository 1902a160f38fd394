import { Get, Inject, Query } from '@nestjs/common';
import { CATEGORIES, type Category, PriorityDecision } from '@patchtrail/contracts';
import {
  Api,
  For,
  Id,
  named,
  notFound,
  OneOf,
  Optional,
  paged,
  pageOf,
  PageQuery,
  Shows,
  ShowsList,
  snapshot,
  Uuid,
  Summary,
} from '@patchtrail/platform';
import type { Database } from '@patchtrail/postgres';
import { findDecision, listDecisions, position } from '../postgres/queries.js';

export const DECISIONS_DB = Symbol('DECISIONS_DB');
export const DECISIONS_LAG = Symbol('DECISIONS_LAG');

/** Of a decision, in the order in which they were first made. */
const NUMBER = /^\d{1,18}$/;

const Decision = named('Decision', PriorityDecision);

class DecisionsQuery extends PageQuery {
  @Uuid() @Optional() patchId?: string;
  @OneOf(CATEGORIES) @Optional() category?: Category;
}

/** What to do first, and why. */
@Api('v1/decisions')
export class DecisionsController {
  constructor(
    @Inject(DECISIONS_DB) private readonly db: Database,
    @Inject(DECISIONS_LAG) private readonly lagMs: () => Promise<number>,
  ) {}

  @Summary('Priority decisions about what is on offer.')
  @Get()
  @For('platform-engineer', 'approver', 'auditor')
  @ShowsList(Decision)
  async list(@Query() query: DecisionsQuery) {
    const filter = { patchId: query.patchId ?? null, category: query.category ?? null };
    const page = pageOf(query, filter, NUMBER);
    const seen = await this.seenSoFar();
    const rows = await listDecisions(this.db, filter, page);
    const { items, nextPageToken } = paged(rows, page, filter, ({ number }) => number);
    return snapshot({ items: items.map(({ decision }) => decision), nextPageToken }, seen);
  }

  @Summary('A priority decision, with the rule and the signals that it follows from.')
  @Get(':id')
  @For('platform-engineer', 'approver', 'auditor')
  @Shows(Decision)
  async one(@Id() id: string) {
    const seen = await this.seenSoFar();
    const decision = await findDecision(this.db, id);
    if (decision === null) throw notFound(`decision ${id}`);
    return snapshot(decision, seen);
  }

  /** Asked before the rows: what arrives in between must not be claimed. */
  private async seenSoFar() {
    return { position: await position(this.db), lagMs: await this.lagMs() };
  }
}
