import { Body, Get, Inject, Post, Query } from '@nestjs/common';
import { type Principal, visibleDepartments } from '@patchtrail/auth';
import { Selector } from '@patchtrail/contracts';
import {
  Answers,
  Api,
  Caller,
  Command,
  type CommandInput,
  For,
  Id,
  notFound,
  paged,
  pageOf,
  PageQuery,
  personOf,
  Shaped,
  Shows,
  ShowsList,
  snapshot,
  Text,
  Summary,
  UUID,
} from '@patchtrail/platform';
import type { Database } from '@patchtrail/postgres';
import { v7 as uuidv7 } from 'uuid';
import { defineGroup } from '../../application/define-group.js';
import { groupMembers, listGroups } from '../postgres/group-queries.js';
import { DefinedGroupAnswer, DeviceGroupAnswer, DeviceGroupRow } from './answers.js';
import { DISCOVERY_DB, runOnce } from './request-origin.js';

/** A name of its own, since decorators would take the schema of the same name for a class. */
type SelectorBody = Selector;

class DefineGroup {
  @Text({ max: 100 }) name!: string;
  /** Attributes that must be equal, a list of endpoints, or both. */
  @Shaped(Selector) selector!: SelectorBody;
}

@Api('v1/device-groups')
export class DeviceGroupsController {
  constructor(@Inject(DISCOVERY_DB) private readonly db: Database) {}

  @Summary('Define a group of endpoints by a selector.')
  @Post()
  @For('platform-engineer')
  @Answers(DefinedGroupAnswer)
  define(@Body() body: DefineGroup, @Command() command: CommandInput) {
    return runOnce(this.db, command, async (tx) => {
      const group = { groupId: uuidv7(), name: body.name, selector: body.selector };
      return { ...group, memberCount: await defineGroup(tx, group, command.context.at) };
    });
  }

  @Summary('Device groups.')
  @Get()
  @For('platform-engineer', 'approver', 'auditor')
  @ShowsList(DeviceGroupRow)
  async list(@Query() query: PageQuery) {
    const page = pageOf(query, null, UUID);
    const rows = await listGroups(this.db, page);
    const data = paged(rows, page, null, ({ groupId }) => groupId);
    return snapshot(data, { position: null, lagMs: 0 });
  }

  @Summary('A device group and the endpoints that are in it now.')
  @Get(':id')
  @For('platform-engineer', 'approver', 'auditor')
  @Shows(DeviceGroupAnswer)
  async one(@Id() id: string, @Caller() caller: Principal) {
    const group = await groupMembers(this.db, id, visibleDepartments(personOf(caller)));
    if (group === null) throw notFound(`device group ${id}`);
    return snapshot(group, { position: null, lagMs: 0 });
  }
}
