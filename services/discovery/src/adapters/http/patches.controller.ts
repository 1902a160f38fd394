import { Get, Inject, Query } from '@nestjs/common';
import {
  Api,
  Flag,
  For,
  Id,
  notFound,
  Optional,
  paged,
  pageOf,
  PageQuery,
  Shows,
  ShowsList,
  snapshot,
  Text,
  Summary,
  UUID,
} from '@patchtrail/platform';
import type { Database } from '@patchtrail/postgres';
import { findPatch, listPatches } from '../postgres/patch-queries.js';
import { PatchAnswer } from './answers.js';
import { DISCOVERY_DB } from './request-origin.js';

class PatchesQuery extends PageQuery {
  @Text() @Optional() sourcePackage?: string;
  @Flag() @Optional() superseded?: boolean;
}

@Api('v1/patches')
export class PatchesController {
  constructor(@Inject(DISCOVERY_DB) private readonly db: Database) {}

  @Summary('Patches that were ever discovered.')
  @Get()
  @For('platform-engineer', 'approver', 'auditor')
  @ShowsList(PatchAnswer)
  async list(@Query() query: PatchesQuery) {
    const { sourcePackage = null, superseded = null } = query;
    const filter = { sourcePackage, superseded };
    const page = pageOf(query, filter, UUID);
    const rows = await listPatches(this.db, filter, page);
    const data = paged(rows, page, filter, ({ patchId }) => patchId);
    return snapshot(data, { position: null, lagMs: 0 });
  }

  @Summary('A patch with its packages and CVEs.')
  @Get(':id')
  @For('platform-engineer', 'approver', 'auditor')
  @Shows(PatchAnswer)
  async one(@Id() id: string) {
    const patch = await findPatch(this.db, id);
    if (patch === null) throw notFound(`patch ${id}`);
    return snapshot(patch, { position: null, lagMs: 0 });
  }
}
