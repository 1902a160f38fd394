import { HTTP_CODE_METADATA } from '@nestjs/common/constants.js';
import {
  ApiExtension,
  ApiHeader,
  ApiQuery,
  ApiResponse,
  type ApiResponseMetadata,
  ApiSecurity,
} from '@nestjs/swagger';
import { accessesOf, answerOf, partsOf, type RoutePart } from './route-facts.js';
import { checkedParameters, type RouteHandler } from './routes.js';

export const PERSON_SECURITY = 'person';
export const ENDPOINT_SECURITY = 'endpoint';
const PROBLEM_SCHEMA = '#/components/schemas/Problem';

const RETRY_AFTER = {
  'Retry-After': { description: 'Seconds.', schema: { type: 'integer' as const } },
};

/** What the decorators of a route imply for its operation: headers, security, refusals. */
export function documentRoute(route: RouteHandler): void {
  const parts = partsOf(route.prototype, route.name);
  const decorators = [
    ...headersOf(route, parts),
    ...securityOf(route),
    ...refusalsOf(route, parts).map(([status, description]) => refusal(status, description)),
    refusal(503, 'Not now: ask again later.', { headers: RETRY_AFTER }),
    ...successOf(route),
  ];
  const descriptor = { value: route.handler };
  for (const decorate of decorators) decorate(route.prototype, route.name, descriptor);
}

function headersOf({ method }: RouteHandler, parts: ReadonlySet<RoutePart>): MethodDecorator[] {
  const headers: MethodDecorator[] = [];
  if (parts.has('command') && method === 'POST') {
    const schema = { type: 'string' as const, minLength: 1, maxLength: 200 };
    const description = 'The same key with the same request is the same command.';
    headers.push(ApiHeader({ name: 'Idempotency-Key', required: true, description, schema }));
  }
  if (parts.has('if-match')) {
    const schema = { type: 'string' as const, pattern: '^(\\*|"\\d+")$' };
    const description = 'The ETag that was read, or *.';
    headers.push(ApiHeader({ name: 'If-Match', required: true, description, schema }));
  }
  if (parts.has('as-of')) {
    const schema = { type: 'string' as const, format: 'date-time' };
    const description = 'The state as of this instant.';
    headers.push(ApiQuery({ name: 'as_of', required: false, description, schema }));
  }
  return headers;
}

function securityOf({ handler }: RouteHandler): MethodDecorator[] {
  const [access] = accessesOf(handler);
  if (access?.for === 'people') {
    return [ApiSecurity(PERSON_SECURITY), ApiExtension('x-roles', [...access.roles])];
  }
  return access?.for === 'endpoints' ? [ApiSecurity(ENDPOINT_SECURITY)] : [];
}

function refusalsOf(
  { controller, name, handler, method, path }: RouteHandler,
  parts: ReadonlySet<RoutePart>,
): (readonly [number, string])[] {
  const anyone = accessesOf(handler)[0]?.for === 'anyone';
  const changes = method !== 'GET';
  const hasBody = checkedParameters(controller, name).some(({ part }) => part === 'body');
  return [
    [400, 'A field, header or parameter breaks its rule.'] as const,
    ...(anyone ? [] : ([[401, 'No valid credential.']] as const)),
    [403, 'Not allowed.'] as const,
    ...(/(?:^|\/):/.test(path) ? ([[404, 'It does not exist.']] as const) : []),
    ...(changes
      ? ([
          [409, 'The state does not allow it.'],
          [422, 'It cannot be done.'],
        ] as const)
      : []),
    ...(parts.has('if-match')
      ? ([
          [412, 'It has changed since it was read.'],
          [428, 'If-Match is missing.'],
        ] as const)
      : []),
    ...(hasBody
      ? ([
          [413, 'The body is larger than this route takes.'],
          [415, 'The body is not application/json.'],
        ] as const)
      : []),
  ];
}

function refusal(
  status: number,
  description: string,
  more: Pick<ApiResponseMetadata, 'headers'> = {},
): MethodDecorator {
  const content = { 'application/problem+json': { schema: { $ref: PROBLEM_SCHEMA } } };
  return ApiResponse({ status, description, content, ...more });
}

function successOf({ handler, method }: RouteHandler): MethodDecorator[] {
  const code: unknown = Reflect.getMetadata(HTTP_CODE_METADATA, handler);
  const status = typeof code === 'number' ? code : method === 'POST' ? 201 : 200;
  const answer = answerOf(handler);
  if (answer === undefined) return [ApiResponse({ status, description: 'Done.' })];
  const content = { 'application/json': { schema: { ...answer.schema } } };
  return [
    ApiResponse({ status, description: 'Done.', content }),
    ...(answer.orNothing ? [ApiResponse({ status: 204, description: 'Nothing to say.' })] : []),
  ];
}
