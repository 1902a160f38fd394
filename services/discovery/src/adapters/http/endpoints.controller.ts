import { Body, Get, HttpCode, Inject, Patch, Post, Put, Query } from '@nestjs/common';
import { type Principal, visibleDepartments } from '@patchtrail/auth';
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
  BodyLimit,
  Caller,
  Command,
  type CommandInput,
  For,
  ForEndpoints,
  type HttpReply,
  Id,
  IfMatch,
  invalidField,
  notFound,
  OneOf,
  Optional,
  ownEndpoint,
  paged,
  pageOf,
  PageQuery,
  personOf,
  Reply,
  Shows,
  ShowsList,
  snapshot,
  Text,
  TextMap,
  withEtag,
  Summary,
  UUID,
} from '@patchtrail/platform';
import type { Database } from '@patchtrail/postgres';
import { changeAttributes, retireEndpoint } from '../../application/change-endpoint.js';
import { takeInventory } from '../../application/take-inventory.js';
import { endpointDetails, listEndpoints } from '../postgres/endpoint-queries.js';
import {
  ChangedEndpointAnswer,
  EndpointAnswer,
  EndpointRow,
  RetiredEndpointAnswer,
  TakenInventoryAnswer,
} from './answers.js';
import { PutInventory } from './inventory.dto.js';
import { assertDepartment, assertVisible, DISCOVERY_DB, runOnce } from './request-origin.js';

const INVENTORY_BYTES_MAX = 16_777_216;

class EndpointsQuery extends PageQuery {
  @Text({ max: 100 }) @Optional() department?: string;
  /** With `version`: the endpoints that have this version of the binary package. */
  @Text() @Optional() package?: string;
  @Text() @Optional() version?: string;
}

class ChangeAttributes {
  @Text({ max: 100 }) @Optional() department?: string;
  @OneOf(ENVIRONMENTS) @Optional() environment?: Environment;
  @OneOf(BUSINESS_IMPACTS) @Optional() businessImpact?: BusinessImpact;
  @OneOf(EXPOSURES) @Optional() exposure?: Exposure;
  @Text({ min: 0, max: 100 }) @Optional() location?: string;
  @Text({ min: 0, max: 100 }) @Optional() deviceType?: string;
  @Text({ min: 0, max: 100 }) @Optional() owner?: string;
  /** IANA name. */
  @Text({ max: 64 }) @Optional() timeZone?: string;
  @TextMap({ max: 50 }) @Optional() labels?: Record<string, string>;
}

class RetireEndpoint {
  @Text({ max: 1_000 }) reason!: string;
}

@Api('v1/endpoints')
export class EndpointsController {
  constructor(@Inject(DISCOVERY_DB) private readonly db: Database) {}

  @Summary('Endpoints of the departments of who asks.')
  @Get()
  @For('platform-engineer', 'approver', 'auditor')
  @ShowsList(EndpointRow)
  async list(@Query() query: EndpointsQuery, @Caller() caller: Principal) {
    if ((query.package === undefined) !== (query.version === undefined)) {
      throw invalidField('version', 'must be given together with package');
    }
    const filter = {
      departments: visibleDepartments(personOf(caller)),
      department: query.department ?? null,
      package: query.package ?? null,
      version: query.version ?? null,
    };
    const page = pageOf(query, filter, UUID);
    const rows = await listEndpoints(this.db, filter, page);
    const data = paged(rows, page, filter, ({ endpointId }) => endpointId);
    return snapshot(data, { position: null, lagMs: 0 });
  }

  @Summary('An endpoint, its inventory and the patches that concern it.')
  @Get(':id')
  @For('platform-engineer', 'approver', 'auditor')
  @Shows(EndpointAnswer)
  async one(@Id() id: string, @Caller() caller: Principal, @Reply() reply: HttpReply) {
    const details = await endpointDetails(this.db, id);
    if (details === null) throw notFound(`endpoint ${id}`);
    assertVisible(caller, details.attributes.department, `endpoint ${id}`);
    withEtag(reply, details.revision);
    return snapshot(details, { position: null, lagMs: 0 });
  }

  @Summary('Change attributes of an endpoint.')
  @Patch(':id')
  @For('platform-engineer')
  @Answers(ChangedEndpointAnswer)
  async change(
    @Id() id: string,
    @IfMatch() expected: number | '*',
    @Body() body: ChangeAttributes,
    @Caller() caller: Principal,
    @Command() command: CommandInput,
    @Reply() reply: HttpReply,
  ) {
    if (body.department !== undefined) assertDepartment(caller, body.department);
    const revision = await runOnce(this.db, command, async (tx) => {
      const endpoint = await tx.endpoints.find(id);
      if (endpoint === null) return null;
      assertVisible(caller, endpoint.attributes.department, `endpoint ${id}`);
      return changeAttributes(tx, id, expected, body);
    });
    if (revision === null) throw notFound(`endpoint ${id}`);
    withEtag(reply, revision);
    return { endpointId: id, revision };
  }

  @Summary('Report what is installed, held back and on offer on the endpoint.')
  @Put(':id/inventory')
  @ForEndpoints()
  @BodyLimit(INVENTORY_BYTES_MAX)
  @Answers(TakenInventoryAnswer)
  async report(
    @Id() id: string,
    @Body() body: PutInventory,
    @Caller() caller: Principal,
    @Command() command: CommandInput,
  ) {
    ownEndpoint(caller, id);
    const taken = await runOnce(this.db, command, (tx) =>
      takeInventory(tx, id, body, command.context.at),
    );
    if (taken === null) throw notFound(`endpoint ${id}`);
    return taken;
  }

  @Summary('Retire an endpoint: it is patched no longer, and its agent is refused.')
  @Post(':id/retirement')
  @HttpCode(200)
  @For('platform-engineer')
  @Answers(RetiredEndpointAnswer)
  async retire(
    @Id() id: string,
    @IfMatch() expected: number | '*',
    @Body() body: RetireEndpoint,
    @Caller() caller: Principal,
    @Command() command: CommandInput,
  ) {
    return runOnce(this.db, command, async (tx) => {
      const endpoint = await tx.endpoints.find(id);
      if (endpoint === null) throw notFound(`endpoint ${id}`);
      assertVisible(caller, endpoint.attributes.department, `endpoint ${id}`);
      await retireEndpoint(tx, id, expected, body.reason);
      return { endpointId: id, lifecycle: 'retired' };
    });
  }
}
