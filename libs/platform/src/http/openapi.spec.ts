import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Get, Module, Post } from '@nestjs/common';
import { Type } from '@sinclair/typebox';
import {
  accessProviders,
  Api,
  type ApiDocument,
  Command,
  type CommandInput,
  createHttpApp,
  createLogger,
  For,
  ForAnyone,
  Nested,
  OneOf,
  openApiDifference,
  Optional,
  OrNull,
  Shaped,
  Summary,
  Uuid,
  Whole,
  writeOpenApi,
} from '../index.js';
import { serveThings, type Things, verifyToken } from './things.fixture.js';

let things: Things;
let document: ApiDocument;
beforeAll(async () => {
  things = await serveThings();
  document = things.app.document('things');
});
afterAll(() => things.app.close());

const problemSchema = {
  'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
};

describe('the document', () => {
  it('is OpenAPI 3.1, served under its name', async () => {
    expect(document.openapi).toBe('3.1.0');
    const served = await things.call('GET', '/openapi/things.json');
    expect(served.status).toBe(200);
    expect(served.body).toEqual(document);
    expect(await things.call('GET', '/openapi/other.json')).toMatchObject({ status: 404 });
  });

  it('shows paths as people write them', () => {
    expect(Object.keys(document.paths).sort()).toEqual([
      '/v1/things',
      '/v1/things/errors',
      '/v1/things/whoami',
      '/v1/things/{id}',
      '/v1/things/{id}/halts',
      '/v1/things/{id}/lease',
      '/v1/things/{id}/report',
      '/v1/things/{id}/sync',
      '/v1/things:enrol',
      '/v1/things:import',
    ]);
  });

  it('says what each route does', () => {
    const summaries = [...JSON.stringify(document.paths).matchAll(/"summary":"([^"]*)"/g)];
    expect(new Set(summaries.map(([, summary]) => summary))).toEqual(
      new Set(['Shows something.', 'Does something.', 'Puts something.', 'Changes something.']),
    );
  });

  it('has no route that does not say what it does', async () => {
    @Api('v1/silent')
    class SilentController {
      @Get(':id') @ForAnyone() get() {
        return {};
      }
    }
    @Module({})
    class SilentModule {}
    const module = {
      module: SilentModule,
      controllers: [SilentController],
      providers: accessProviders({ verifyToken }),
    };
    const docs = [{ name: 'silent', title: 'Silent', module }];
    await expect(
      createHttpApp({ modules: [module], docs, log: createLogger('spec', 'silent') }),
    ).rejects.toThrow('Routes without @Summary: GET /v1/silent/{id}');
  });

  it('holds the headers that the decorators ask for', () => {
    expect(document.paths['/v1/things/{id}/halts']?.post?.parameters).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'Idempotency-Key', in: 'header', required: true }),
        expect.objectContaining({ name: 'If-Match', in: 'header', required: true }),
      ]),
    );
    expect(document.paths['/v1/things/{id}']?.get?.parameters).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'as_of', in: 'query', required: false }),
        expect.objectContaining({ name: 'id', in: 'path', required: true }),
      ]),
    );
  });

  it('holds the fields of a query', () => {
    expect(document.paths['/v1/things']?.get?.parameters).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'page_size', in: 'query', required: false }),
        expect.objectContaining({ name: 'tag', in: 'query', required: false }),
      ]),
    );
  });

  it('says who may call a route', () => {
    const { paths, components } = document;
    expect(paths['/v1/things']?.get?.security).toEqual([{ person: [] }]);
    expect(paths['/v1/things']?.get).toMatchObject({ 'x-roles': ['auditor', 'approver'] });
    expect(paths['/v1/things/{id}/report']?.put?.security).toEqual([{ endpoint: [] }]);
    expect(paths['/v1/things:enrol']?.post?.security).toBeUndefined();
    expect(Object.keys(components?.securitySchemes ?? {})).toEqual(['person', 'endpoint']);
  });

  it('says how a route refuses', () => {
    const answersOf = (path: string, method: 'get' | 'post') =>
      document.paths[path]?.[method]?.responses ?? {};
    const responses = answersOf('/v1/things/{id}/halts', 'post');
    const all = ['201', '400', '401', '403', '404', '409', '412', '422', '428', '503'];
    expect(Object.keys(responses)).toEqual(all);
    expect(responses['428']).toMatchObject({ content: problemSchema });
    expect(responses['503']).toMatchObject({ headers: { 'Retry-After': {} } });
    expect(Object.keys(answersOf('/v1/things/{id}/sync', 'post'))[0]).toBe('200');
    expect(answersOf('/v1/things', 'get')).not.toHaveProperty('404');
    expect(answersOf('/v1/things', 'post')).toMatchObject({ '413': {}, '415': {} });
    expect(answersOf('/v1/things:enrol', 'post')).not.toHaveProperty('401');
  });

  it('holds the rules of each field', () => {
    expect(document.components?.schemas).toMatchObject({
      PlanBody: {
        additionalProperties: false,
        required: ['name', 'rings'],
        properties: {
          rings: {
            type: 'array',
            minItems: 1,
            maxItems: 3,
            items: { $ref: '#/components/schemas/Ring' },
          },
          owner: { type: ['string', 'null'] },
        },
      },
      Cap: {
        additionalProperties: false,
        properties: { value: { type: 'integer', minimum: 1, maximum: 100 } },
      },
    });
  });
});

describe('schemas of the contracts', () => {
  const Scope = Type.Object({ list: Type.Array(Type.String()) }, { additionalProperties: false });

  class Part {
    @Whole() n!: number;
  }

  class ShapedBody {
    @Shaped(Scope) scope!: unknown;
    @Shaped(Scope) @Optional() maybe?: unknown;
    @Optional() @Shaped(Scope) perhaps?: unknown;
    @Uuid() @OrNull() id!: string | null;
    @OneOf(['red', 'blue']) @OrNull() @Optional() colour?: string | null;
    @Nested(() => Part) @OrNull() @Optional() part?: Part | null;
  }

  @Api('v1/shaped')
  class ShapedController {
    @Summary('Does something.') @Post() @For('auditor') post(
      @Body() body: ShapedBody,
      @Command() command: CommandInput,
    ) {
      return { body, command };
    }
    @Summary('Shows something.') @Get() @ForAnyone() get() {
      return {};
    }
  }

  @Module({})
  class ShapedModule {}

  it('appear as they are, required unless optional', async () => {
    const module = {
      module: ShapedModule,
      controllers: [ShapedController],
      providers: accessProviders({ verifyToken }),
    };
    const app = await createHttpApp({
      modules: [module],
      docs: [{ name: 'shaped', title: 'Shaped', module }],
      log: createLogger('spec', 'silent'),
    });
    const scope = {
      type: 'object',
      additionalProperties: false,
      required: ['list'],
      properties: { list: { type: 'array', items: { type: 'string' } } },
    };
    expect(app.document('shaped').components?.schemas?.['ShapedBody']).toEqual({
      type: 'object',
      additionalProperties: false,
      required: ['scope', 'id'],
      properties: {
        scope,
        maybe: scope,
        perhaps: scope,
        id: { type: ['string', 'null'], format: 'uuid' },
        colour: { type: ['string', 'null'], enum: ['red', 'blue', null] },
        part: { anyOf: [{ $ref: '#/components/schemas/Part' }, { type: 'null' }] },
      },
    });
    await app.close();
  });
});

describe('a checked-in document', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'patchtrail-openapi-'));
  });
  afterAll(() => rm(dir, { recursive: true }));

  it('is the same until a route changes', async () => {
    const file = join(dir, 'openapi.json');
    expect(await openApiDifference(file, document)).toBe('the file does not exist');
    await writeOpenApi(file, document);
    expect(await openApiDifference(file, document)).toBeNull();
    const paths = Object.entries(document.paths).filter(([path]) => path !== '/v1/things');
    await writeFile(file, JSON.stringify({ ...document, paths: Object.fromEntries(paths) }));
    expect(await openApiDifference(file, document)).toBe('/paths/~1v1~1things');
  });
});
