import { Get, Inject, Query } from '@nestjs/common';
import {
  Api,
  For,
  paged,
  pageOf,
  PageQuery,
  ShowsList,
  snapshot,
  Summary,
} from '@patchtrail/platform';
import { RefusedReportRow } from './answers.js';
import { DEPLOYMENT_CONTEXT, type DeploymentContext } from './deployment-context.js';

const FILTER = 'refused-reports';

@Api('v1/refused-reports')
export class RefusedReportsController {
  constructor(@Inject(DEPLOYMENT_CONTEXT) private readonly context: DeploymentContext) {}

  /** What agents reported and nobody took, newest first. */
  @Summary('Reports of agents that were refused, newest first.')
  @Get()
  @For('platform-engineer', 'approver', 'auditor')
  @ShowsList(RefusedReportRow)
  async list(@Query() query: PageQuery) {
    const page = pageOf(query, FILTER);
    const rows = await this.context.lists.refusedReports(page);
    return snapshot(
      paged(rows, page, FILTER, ({ number }) => number),
      { position: null, lagMs: 0 },
    );
  }
}
