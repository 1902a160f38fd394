import { type Principal, visibleDepartments } from '@patchtrail/auth';
import { Get, Inject, Query } from '@nestjs/common';
import {
  Api,
  Caller,
  For,
  Id,
  notFound,
  Optional,
  paged,
  pageOf,
  PageQuery,
  personOf,
  ShowsList,
  snapshot,
  Text,
  Uuid,
  Summary,
  UUID,
} from '@patchtrail/platform';
import type { Database } from '@patchtrail/postgres';
import { complianceOf } from '../../domain/compliance.js';
import {
  complianceCounts,
  complianceEntries,
  entryKey,
  failureTickets,
  patchTrail,
  position,
  rolloutTimeline,
  type TrailEntry,
  type Window,
} from '../postgres/queries.js';
import { Compliance, ComplianceRow, FailureTicket, RecordedEvent } from './answers.js';

export const REPORTS_DB = Symbol('REPORTS_DB');
export const REPORTS_LAG = Symbol('REPORTS_LAG');

const NUMBER = /^\d{1,18}$/;
/** `<endpointId>/<patchId>` */
const ENTRY = new RegExp(`${UUID.source.slice(0, -1)}/${UUID.source.slice(1)}`);

class ComplianceQuery extends PageQuery {
  @Text() @Optional() department?: string;
  @Uuid() @Optional() patchId?: string;
}

class TicketsQuery extends PageQuery {
  @Uuid() @Optional() rolloutId?: string;
}

/** What is patched, what happened, and what went wrong: from integration events alone. */
@Api('v1')
export class ReportsController {
  constructor(
    @Inject(REPORTS_DB) private readonly db: Database,
    @Inject(REPORTS_LAG) private readonly lagMs: () => Promise<number>,
  ) {}

  @Summary('Which endpoint has which patch, with totals.')
  @Get('compliance')
  @For('platform-engineer', 'approver', 'auditor')
  @ShowsList(ComplianceRow, { totals: Compliance })
  async compliance(@Query() query: ComplianceQuery, @Caller() caller: Principal) {
    const filter = {
      departments: visibleDepartments(personOf(caller)),
      department: query.department ?? null,
      patchId: query.patchId ?? null,
    };
    const page = pageOf(query, filter, ENTRY);
    const seen = await this.seenSoFar();
    const totals = complianceOf(await complianceCounts(this.db, filter));
    const rows = await complianceEntries(this.db, filter, page);
    return snapshot({ totals, ...paged(rows, page, filter, entryKey) }, seen);
  }

  @Summary('Everything that happened to a patch.')
  @Get('patch-trails/:id')
  @For('platform-engineer', 'approver', 'auditor')
  @ShowsList(RecordedEvent)
  async trail(@Id() id: string, @Query() query: PageQuery) {
    return this.events('patch', id, query, (page) => patchTrail(this.db, id, page));
  }

  @Summary('Everything that happened in a rollout.')
  @Get('rollout-timelines/:id')
  @For('platform-engineer', 'approver', 'auditor')
  @ShowsList(RecordedEvent)
  async timeline(@Id() id: string, @Query() query: PageQuery) {
    return this.events('rollout', id, query, (page) => rolloutTimeline(this.db, id, page));
  }

  @Summary('Tickets about failures of rollouts.')
  @Get('failure-tickets')
  @For('platform-engineer', 'approver', 'auditor')
  @ShowsList(FailureTicket)
  async tickets(@Query() query: TicketsQuery) {
    const filter = query.rolloutId ?? null;
    const page = pageOf(query, filter, NUMBER);
    const seen = await this.seenSoFar();
    const rows = await failureTickets(this.db, filter, page);
    return snapshot(
      paged(rows, page, filter, ({ number }) => number),
      seen,
    );
  }

  private async events(
    of: 'patch' | 'rollout',
    id: string,
    query: PageQuery,
    read: (page: Window) => Promise<TrailEntry[]>,
  ) {
    const page = pageOf(query, id, NUMBER);
    const seen = await this.seenSoFar();
    const rows = await read(page);
    if (rows.length === 0 && page.after === null) throw notFound(`${of} ${id} in any event`);
    return snapshot(
      paged(rows, page, id, ({ number }) => number),
      seen,
    );
  }

  /** Asked before the rows: what arrives in between must not be claimed. */
  private async seenSoFar() {
    return { position: await position(this.db), lagMs: await this.lagMs() };
  }
}
