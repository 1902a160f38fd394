import { applyDecorators, Controller, UseGuards } from '@nestjs/common';
import { PATH_METADATA } from '@nestjs/common/constants.js';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiTags } from '@nestjs/swagger';
import type { Role } from '@patchtrail/auth';
import { AccessGuard } from './access-guard.js';
import { documentRoute } from './route-documents.js';
import { type Access, noteAccess, noteGuarded } from './route-facts.js';
import { escapeRoutePath } from './route-paths.js';
import { routeHandlers } from './routes.js';

/**
 * A controller under the access check: `@Api('v1/endpoints')`. Every method with a route needs
 * exactly one of `@For`, `@ForEndpoints`, `@ForAnyone`.
 */
export function Api(path: string): ClassDecorator {
  const tag = path.split('/').find((part) => part !== '' && !/^v\d+$/.test(part));
  return applyDecorators(
    ...(tag === undefined ? [] : [ApiTags(tag)]),
    (controller: object) => {
      finishRoutes(controller);
    },
    UseGuards(AccessGuard),
    Controller(escapeRoutePath(path)),
  );
}

/** Runs after the decorators of the methods, when all that is known of a route is known. */
function finishRoutes(controller: object): void {
  noteGuarded(controller);
  for (const route of routeHandlers(controller)) {
    Reflect.defineMetadata(PATH_METADATA, escapeRoutePath(route.path), route.handler);
    documentRoute(route);
  }
}

function access(granted: Access): MethodDecorator {
  return (_target, _name, descriptor) => {
    const handler: unknown = descriptor.value;
    if (typeof handler === 'function') noteAccess(handler, granted);
  };
}

/** People and services with at least one of the roles. */
export function For(...roles: readonly [Role, ...Role[]]): MethodDecorator {
  return access({ for: 'people', roles });
}

/** Agents with the credential of their endpoint. */
export function ForEndpoints(): MethodDecorator {
  return access({ for: 'endpoints' });
}

/** No check at all; the route itself must be safe for everyone. */
export function ForAnyone(): MethodDecorator {
  return access({ for: 'anyone' });
}

/** The largest body a route takes, in bytes; the default is set by `createHttpApp`. */
export function BodyLimit(bytes: number): MethodDecorator {
  return RouteConfig({ bodyLimitBytes: bytes });
}
