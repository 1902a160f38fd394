import { readFile, writeFile } from 'node:fs/promises';
import type { DynamicModule, INestApplication, Type } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { firstDifference } from './json-difference.js';
import { hoistNamed } from './named-schemas.js';
import { ENDPOINT_SECURITY, PERSON_SECURITY } from './route-documents.js';

/** The document of one service: served at `/openapi/<name>.json`. */
export type ApiDoc = Readonly<{
  name: string;
  title: string;
  module: DynamicModule | Type;
}>;

export type ApiDocument = OpenAPIObject;

const FIELD_ERROR = {
  type: 'object',
  required: ['field', 'rule'],
  properties: { field: { type: 'string' }, rule: { type: 'string' } },
};

const PROBLEM = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail', 'traceId'],
  properties: {
    type: { type: 'string', format: 'uri', description: 'urn:patchtrail:problem:<code>' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string' },
    detail: { type: 'string' },
    traceId: { type: 'string' },
    errors: { type: 'array', items: FIELD_ERROR },
  },
};

/** OpenAPI 3.1 out of the decorators of a module's controllers. */
export function documentOf(app: INestApplication, { title, module }: ApiDoc): ApiDocument {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle(title)
    .setVersion('1')
    .addSecurity(PERSON_SECURITY, {
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT (at+jwt)',
      description: 'An access token of a person or a service.',
    })
    .addSecurity(ENDPOINT_SECURITY, {
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'ptep_<endpointId>_<secret>',
      description: 'The credential of an enrolled endpoint.',
    })
    .build();
  const include = ['module' in module ? module.module : module];
  const document = SwaggerModule.createDocument(app, config, {
    include,
    operationIdFactory: (controller, method) =>
      `${controller.replace(/Controller$/, '')}_${method}`,
  });
  const silent = withoutSummary(document);
  if (silent.length > 0) throw new Error(`Routes without @Summary: ${silent.join(', ')}`);
  const { value: paths, schemas: answers } = hoistNamed(document.paths);
  const schemas = { ...closedBodies(document), Problem: PROBLEM };
  for (const [name, schema] of answers) {
    if (name in schemas) throw new Error(`Two schemas of ${title} are named ${name}.`);
    Object.assign(schemas, { [name]: schema });
  }
  const whole = { ...document, paths, components: { ...document.components, schemas } };
  const printed: unknown = JSON.parse(JSON.stringify(whole, unwrapped));
  if (!isDocument(printed)) throw new Error(`The OpenAPI document of ${title} has no paths.`);
  return printed;
}

type Schemas = Record<string, unknown>;

function withoutSummary({ paths }: OpenAPIObject): readonly string[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries<unknown>({ ...item }).flatMap(([method, operation]) => {
      const isSilent =
        typeof operation === 'object' && operation !== null && !('summary' in operation);
      return isSilent ? [`${method.toUpperCase()} ${path}`] : [];
    }),
  );
}

/** A field that a body's class does not have is refused, so its schema says so too. */
function closedBodies({ paths, components }: OpenAPIObject): Schemas {
  const schemas: Schemas = { ...components?.schemas };
  const operations = Object.values(paths).flatMap((item) => Object.values<unknown>({ ...item }));
  const bodies = operations.map((operation) =>
    typeof operation === 'object' && operation !== null && 'requestBody' in operation
      ? operation.requestBody
      : null,
  );
  const waiting = bodies.flatMap(referencesIn);
  const closed = new Set<string>();
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const schema = schemas[name];
    if (closed.has(name) || typeof schema !== 'object') continue;
    closed.add(name);
    schemas[name] = { ...schema, additionalProperties: false };
    waiting.push(...referencesIn(schema));
  }
  return schemas;
}

/** The names of the schemas that a part of the document refers to. */
function referencesIn(part: unknown): string[] {
  const text = JSON.stringify({ part });
  return [...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].flatMap(
    ([, name]) => name ?? [],
  );
}

function isDocument(value: unknown): value is ApiDocument {
  return typeof value === 'object' && value !== null && 'paths' in value && 'openapi' in value;
}

/** A schema of the contracts stands alone in `allOf`. */
function unwrapped(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('allOf' in value)) return value;
  const { allOf, ...beside } = value;
  const only: unknown = Array.isArray(allOf) && allOf.length === 1 ? allOf[0] : null;
  return typeof only === 'object' && only !== null ? { ...beside, ...only } : value;
}

/** As it is checked in: two spaces, keys in the order of the source, a final line end. */
export function printDocument(document: ApiDocument): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}

export async function writeOpenApi(file: string | URL, document: ApiDocument): Promise<void> {
  await writeFile(file, printDocument(document));
}

/** The first JSON pointer at which a checked-in document differs, or `null` when it is the same. */
export async function openApiDifference(
  file: string | URL,
  document: ApiDocument,
): Promise<string | null> {
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) return 'the file does not exist';
  const known: unknown = JSON.parse(text);
  return firstDifference(known, JSON.parse(JSON.stringify(document)));
}
