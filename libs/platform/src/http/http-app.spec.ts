import assert from 'node:assert/strict';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Get, HttpCode, Module, Patch, Post, Put, Query } from '@nestjs/common';
import {
  endpointSecretDigest,
  type Person,
  type Principal,
  TokenRefused,
  type VerifyToken,
} from '@patchtrail/auth';
import { DomainError } from '@patchtrail/event-sourcing';
import { WrongExpectedRevision } from '@patchtrail/event-store';
import {
  accessProviders,
  Api,
  AsOf,
  BodyLimit,
  Caller,
  Command,
  type CommandInput,
  createHttpApp,
  createLogger,
  Flag,
  For,
  ForAnyone,
  ForEndpoints,
  type HttpApp,
  type HttpReply,
  Id,
  IfMatch,
  ListOf,
  Nested,
  notFound,
  OneOf,
  Optional,
  OrNull,
  ownEndpoint,
  PageQuery,
  Reply,
  Text,
  Whole,
  withEtag,
} from '../index.js';

const ENDPOINT = '0b5a2a3e-0000-4000-8000-000000000001';
const OTHER = '0b5a2a3e-0000-4000-8000-000000000002';
const SECRET = 'a'.repeat(43);

const people = new Map<string, Person>(
  (['platform-engineer', 'approver', 'auditor'] as const).map((role) => [
    `token-of-${role}`,
    { kind: 'person', id: role, roles: [role], departments: ['*'] },
  ]),
);

const verifyToken: VerifyToken = (token) => {
  const person = people.get(token);
  return person === undefined
    ? Promise.reject(new TokenRefused('exp', 'is in the past'))
    : Promise.resolve(person);
};

class Cap {
  @OneOf(['endpoints', 'percent']) unit!: string;
  @Whole({ min: 1, max: 100 }) value!: number;
}
class Ring {
  @Text({ max: 20 }) name!: string;
  @Nested(() => Cap) cap!: Cap;
}
class PlanBody {
  @Text() name!: string;
  @ListOf(() => Ring, { min: 1, max: 3 }) rings!: Ring[];
  @Text() @Optional() remark?: string;
  @Text() @OrNull() @Optional() owner?: string | null;
}
class ThingQuery extends PageQuery {
  @Flag() @Optional() open?: boolean;
  @ListOf('text', { max: 3 }) @Optional() tag?: string[];
}

@Api('v1/things')
class ThingsController {
  @Get() @For('auditor', 'approver') list(@Query() query: ThingQuery) {
    return query;
  }
  @Get('whoami') @For('auditor', 'approver') whoami(@Caller() caller: Principal) {
    return caller;
  }
  @Get(':id') @For('auditor') get(
    @Id() id: string,
    @AsOf() asOf: string | undefined,
    @Reply() reply: HttpReply,
  ) {
    if (id === OTHER) throw notFound(`thing ${id}`);
    withEtag(reply, 7);
    return { id, asOf: asOf ?? null };
  }
  @Post() @For('platform-engineer') make(@Body() body: PlanBody, @Command() command: CommandInput) {
    return { body, command };
  }
  @Post(':id/sync') @HttpCode(200) @For('platform-engineer') sync(
    @Command() command: CommandInput,
  ) {
    return command.context;
  }
  @Post(':id/halts') @For('approver') halt(
    @IfMatch() revision: number | '*',
    @Command() command: CommandInput,
  ) {
    return { revision, key: command.idempotency?.key };
  }
  @Patch(':id') @For('approver') change(
    @Body() body: Cap,
    @IfMatch() revision: number | '*',
    @Command() command: CommandInput,
  ) {
    return { body, revision, idempotency: command.idempotency };
  }
  @Put(':id/report') @ForEndpoints() report(@Id() id: string, @Caller() caller: Principal) {
    ownEndpoint(caller, id);
    return { ok: true };
  }
  @Post('errors') @For('approver') fail(@Body() body: Cap, @Command() _command: CommandInput) {
    if (body.value === 1) throw new DomainError('already-decided', 'The request is decided.');
    if (body.value === 2) throw new DomainError('self-approval');
    if (body.value === 3) throw new WrongExpectedRevision('thing-1', 1, 2);
    throw new Error('password=hunter2');
  }
}

@Api('v1')
class EnrolmentController {
  @Post('things:enrol') @ForAnyone() enrol(@Body() body: Cap, @Command() command: CommandInput) {
    return { value: body.value, actor: command.context.actor };
  }
  @Post('things:import') @BodyLimit(3_000) @ForAnyone() import(
    @Body() _body: PlanBody,
    @Command() _command: CommandInput,
  ) {
    return { ok: true };
  }
}

@Module({})
class ThingsModule {}

const thingsModule = {
  module: ThingsModule,
  controllers: [ThingsController, EnrolmentController],
  providers: accessProviders({
    verifyToken,
    credentials: {
      digestOf: (id) => Promise.resolve(id === ENDPOINT ? endpointSecretDigest(SECRET) : null),
    },
  }),
};

const docs = [{ name: 'things', title: 'Things', module: thingsModule }];
const log = createLogger('spec', 'silent');
const plan = { name: 'p', rings: [{ name: 'pilot', cap: { unit: 'percent', value: 10 } }] };

let app: HttpApp;
let url: string;
let ready = true;

beforeAll(async () => {
  app = await createHttpApp({
    modules: [thingsModule],
    docs,
    log,
    bodyLimitBytes: 2_000,
    ready: [
      () =>
        Promise.resolve({ service: 'things', ok: ready, checks: [{ name: 'store', ok: ready }] }),
    ],
  });
  url = await app.listen(0, '127.0.0.1');
});
afterAll(() => app.close());

type Answer = { status: number; headers: Headers; body: unknown };

async function call(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: unknown,
): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: text }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

const as = (role: string) => ({ authorization: `Bearer token-of-${role}` });
const key = (value = 'k-1') => ({ 'idempotency-key': value });

function assertProblem(answer: Answer, status: number, code: string, detail?: RegExp): void {
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(answer.body).toMatchObject({ type: `urn:patchtrail:problem:${code}`, status, code });
  if (detail !== undefined)
    expect(answer.body).toMatchObject({ detail: expect.stringMatching(detail) });
}

describe('paths', () => {
  it('reaches a route with a colon in its path', async () => {
    const answer = await call('POST', '/v1/things:enrol', key(), { unit: 'percent', value: 3 });
    assert.equal(answer.status, 201);
    expect(answer.body).toEqual({ value: 3, actor: 'anyone' });
  });
  it('does not take the letters after the colon for a parameter', async () => {
    const answer = await call('POST', '/v1/thingsenrol', key(), { unit: 'percent', value: 3 });
    assertProblem(answer, 404, 'unknown-route');
  });
});
