import assert from 'node:assert/strict';
import { expect } from '@jest/globals';
import { Body, Get, HttpCode, Module, Patch, Post, Put, Query } from '@nestjs/common';
import {
  endpointSecretDigest,
  type Person,
  type Principal,
  TokenRefused,
  type VerifyToken,
} from '@patchtrail/auth';
import { DomainError } from '@patchtrail/event-sourcing';
import { TooBusy, WrongExpectedRevision } from '@patchtrail/event-store';
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
  type Logger,
  Nested,
  noContent,
  notFound,
  OneOf,
  Optional,
  OrNull,
  ownEndpoint,
  PageQuery,
  readyReport,
  Reply,
  Summary,
  Text,
  Whole,
  withEtag,
} from '../index.js';

export const ENDPOINT = '0b5a2a3e-0000-4000-8000-000000000001';
export const OTHER = '0b5a2a3e-0000-4000-8000-000000000002';
export const SECRET = 'a'.repeat(43);

const people = new Map<string, Person>(
  (['platform-engineer', 'approver', 'auditor'] as const).map((role) => [
    `token-of-${role}`,
    { kind: 'person', id: role, roles: [role], departments: ['*'] },
  ]),
);

export const verifyToken: VerifyToken = (token) => {
  const person = people.get(token);
  return person === undefined
    ? Promise.reject(new TokenRefused('exp', 'is in the past'))
    : Promise.resolve(person);
};

export class Cap {
  @OneOf(['endpoints', 'percent']) unit!: string;
  @Whole({ min: 1, max: 100 }) value!: number;
}
export class Ring {
  @Text({ max: 20 }) name!: string;
  @Nested(() => Cap) cap!: Cap;
}
export class PlanBody {
  @Text() name!: string;
  @ListOf(() => Ring, { min: 1, max: 3 }) rings!: Ring[];
  @Text() @Optional() remark?: string;
  @Text() @OrNull() @Optional() owner?: string | null;
}
export class ThingQuery extends PageQuery {
  @Flag() @Optional() open?: boolean;
  @ListOf('text', { max: 3 }) @Optional() tag?: string[];
}

@Api('v1/things')
class ThingsController {
  @Summary('Shows something.') @Get() @For('auditor', 'approver') list(@Query() query: ThingQuery) {
    return query;
  }
  @Summary('Shows something.') @Get('whoami') @For('auditor', 'approver') whoami(
    @Caller() caller: Principal,
  ) {
    return caller;
  }
  @Summary('Shows something.') @Get(':id') @For('auditor') get(
    @Id() id: string,
    @AsOf() asOf: string | undefined,
    @Reply() reply: HttpReply,
  ) {
    if (id === OTHER) throw notFound(`thing ${id}`);
    withEtag(reply, 7);
    return { id, asOf: asOf ?? null };
  }
  @Summary('Does something.') @Post() @For('platform-engineer') make(
    @Body() body: PlanBody,
    @Command() command: CommandInput,
  ) {
    return { body, command };
  }
  @Summary('Does something.') @Post(':id/sync') @HttpCode(200) @For('platform-engineer') sync(
    @Command() command: CommandInput,
  ) {
    return command;
  }
  @Summary('Does something.') @Post(':id/halts') @For('approver') halt(
    @IfMatch() revision: number | '*',
    @Command() command: CommandInput,
  ) {
    return { revision, key: command.idempotency?.key };
  }
  @Summary('Changes something.') @Patch(':id') @For('approver') change(
    @Body() body: Cap,
    @IfMatch() revision: number | '*',
    @Command() command: CommandInput,
  ) {
    return { body, revision, idempotency: command.idempotency };
  }
  @Summary('Puts something.') @Put(':id/report') @ForEndpoints() report(
    @Id() id: string,
    @Caller() caller: Principal,
  ) {
    ownEndpoint(caller, id);
    return { ok: true };
  }
  @Summary('Puts something.') @Put(':id/lease') @ForEndpoints() lease(
    @Id() id: string,
    @Reply() reply: HttpReply,
  ) {
    return id === OTHER ? { id } : noContent(reply);
  }
  @Summary('Does something.') @Post('errors') @For('approver') fail(
    @Body() body: Cap,
    @Command() command: CommandInput,
  ) {
    if (body.value === 1) throw new DomainError('already-decided', 'The request is decided.');
    if (body.value === 2) throw new DomainError('self-approval');
    if (body.value === 3) throw new WrongExpectedRevision('thing-1', 1, 2);
    if (body.value === 5) throw new TooBusy('thing-1', '1000 are waiting');
    throw new Error(`password=hunter2 ${command.context.actor}`);
  }
}

@Api('v1')
class EnrolmentController {
  @Summary('Does something.') @Post('things:enrol') @ForAnyone() enrol(
    @Body() body: Cap,
    @Command() command: CommandInput,
  ) {
    return { value: body.value, actor: command.context.actor };
  }
  @Summary('Does something.') @Post('things:import') @BodyLimit(3_000) @ForAnyone() import(
    @Body() body: PlanBody,
    @Command() command: CommandInput,
  ) {
    return { name: body.name, at: command.context.at };
  }
}

@Module({})
class ThingsModule {}

export const thingsModule = {
  module: ThingsModule,
  controllers: [ThingsController, EnrolmentController],
  providers: accessProviders({
    verifyToken,
    credentials: {
      digestOf: (id) => Promise.resolve(id === ENDPOINT ? endpointSecretDigest(SECRET) : null),
    },
  }),
};

export const plan = {
  name: 'p',
  rings: [{ name: 'pilot', cap: { unit: 'percent', value: 10 } }],
};

const NOW = '2026-11-21T09:00:00.000Z';

export type Things = {
  app: HttpApp;
  setReady: (ok: boolean) => void;
  call: (
    method: string,
    path: string,
    headers?: Record<string, string>,
    body?: unknown,
  ) => Promise<Answer>;
};
export type Answer = { status: number; headers: Headers; body: unknown };

/** The module above, served on a free port. */
export async function serveThings(log: Logger = createLogger('spec', 'silent')): Promise<Things> {
  let ready = true;
  const report = () => readyReport('things', [{ name: 'store', ok: ready }]);
  const app = await createHttpApp({
    modules: [thingsModule],
    docs: [{ name: 'things', title: 'Things', module: thingsModule }],
    log,
    now: () => new Date(NOW),
    bodyLimitBytes: 2_000,
    ready: { things: () => Promise.resolve(report()) },
  });
  const url = await app.listen(0, '127.0.0.1');
  return {
    app,
    setReady: (ok) => {
      ready = ok;
    },
    call: async (method, path, headers = {}, body) => {
      const type = body === undefined ? {} : { 'content-type': 'application/json' };
      const sent = typeof body === 'string' ? body : JSON.stringify(body);
      const response = await fetch(`${url}${path}`, {
        method,
        headers: { ...type, ...headers },
        ...(body === undefined ? {} : { body: sent }),
      });
      const text = await response.text();
      const answered: unknown = text === '' ? null : JSON.parse(text);
      return { status: response.status, headers: response.headers, body: answered };
    },
  };
}

/** What stands at a path of an answer; `undefined` where it has no such place. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (place, key) =>
      typeof place === 'object' && place !== null ? Reflect.get(place, key) : undefined,
    value,
  );
}

export const as = (role: string) => ({ authorization: `Bearer token-of-${role}` });
export const key = (value = 'k-1') => ({ 'idempotency-key': value });

export function assertProblem(
  answer: Answer,
  status: number,
  code: string,
  more: object = {},
): void {
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  const type = `urn:patchtrail:problem:${code}`;
  expect(answer.body).toMatchObject({ type, status, code, ...more });
}
