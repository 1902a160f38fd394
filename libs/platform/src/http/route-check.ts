import { PATH_METADATA } from '@nestjs/common/constants.js';
import type { ModulesContainer } from '@nestjs/core';
import { isDto } from './request-pipe.js';
import { accessesOf, isGuarded, partsOf } from './route-facts.js';
import { checkedParameters, type RouteHandler, routeHandlers } from './routes.js';
import { plainRoutePath } from './route-paths.js';

/** @throws Error naming every route that is open by omission or takes what nobody checks */
export function checkRoutes(modules: ModulesContainer): void {
  const controllers = [...modules.values()].flatMap((module) =>
    [...module.controllers.values()].map(({ metatype }) => metatype),
  );
  const faults = controllers.flatMap((controller) =>
    controller === null ? [] : routeHandlers(controller).flatMap(faultsOf),
  );
  if (faults.length > 0) throw new Error(`Routes refused at start-up:\n${faults.join('\n')}`);
}

function faultsOf(route: RouteHandler): readonly string[] {
  const faults: string[] = [];
  if (!isGuarded(route.controller)) faults.push('needs @Api on its controller');
  const granted = accessesOf(route.handler).length;
  if (granted !== 1) {
    faults.push('needs exactly one of @For, @ForEndpoints, @ForAnyone');
  }
  const parts = partsOf(route.prototype, route.name);
  if (route.method === 'POST' && !parts.has('command')) faults.push('a POST takes @Command()');
  faults.push(...unchecked(route));
  return faults.map(
    (fault) =>
      `${route.method} ${pathOf(route)} (${String(Reflect.get(route.controller, 'name'))}.${route.name}): ${fault}`,
  );
}

/** Bodies and queries whose type is no DTO would pass as they are. */
function unchecked({ controller, name }: RouteHandler): readonly string[] {
  return checkedParameters(controller, name).flatMap(({ part, type }) =>
    isDto(type) ? [] : [`its ${part} needs a DTO class`],
  );
}

function pathOf({ controller, path }: RouteHandler): string {
  const prefix: unknown = Reflect.getMetadata(PATH_METADATA, controller);
  const whole = `/${String(prefix)}/${path}`.replaceAll(/\/+/g, '/').replace(/(?<=.)\/$/, '');
  return plainRoutePath(whole);
}
