import { RequestMethod } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';

/** A method of a controller that answers a route. */
export type RouteHandler = Readonly<{
  controller: object;
  prototype: object;
  name: string;
  handler: object;
  /** `GET`, `POST`, … */
  method: string;
  /** As written on the method, without the controller's. */
  path: string;
}>;

/** The routes a controller class declares, inherited ones included. */
export function routeHandlers(controller: object): readonly RouteHandler[] {
  const prototype = prototypeOf(controller);
  return methodNames(prototype).flatMap((name) => {
    const handler: unknown = Reflect.get(prototype, name);
    if (typeof handler !== 'function') return [];
    const verb: unknown = Reflect.getMetadata(METHOD_METADATA, handler);
    if (typeof verb !== 'number') return [];
    const path: unknown = Reflect.getMetadata(PATH_METADATA, handler);
    const method = RequestMethod[verb] ?? 'ALL';
    return [{ controller, prototype, name, handler, method, path: String(path) }];
  });
}

export type CheckedPart = 'body' | 'query';
const KINDS: ReadonlyMap<string | undefined, CheckedPart> = new Map([
  ['3', 'body'],
  ['4', 'query'],
]);

/** The parameters of a method that take the body or the query, with their declared types. */
export function checkedParameters(
  controller: object,
  name: string,
): readonly Readonly<{ part: CheckedPart; type: unknown }>[] {
  const args: unknown = Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, name);
  const types: unknown = Reflect.getMetadata('design:paramtypes', prototypeOf(controller), name);
  if (typeof args !== 'object' || args === null) return [];
  return Object.keys(args).flatMap((key) => {
    const [kind, index] = key.split(':');
    const part = KINDS.get(kind);
    if (part === undefined) return [];
    return [{ part, type: Array.isArray(types) ? (types[Number(index)] as unknown) : undefined }];
  });
}

/** What the instances of a class share. */
export function prototypeOf(type: object): object {
  const prototype: unknown = Reflect.get(type, 'prototype');
  if (typeof prototype !== 'object' || prototype === null) throw new TypeError('Not a class.');
  return prototype;
}

function methodNames(prototype: object): readonly string[] {
  const names = new Set<string>();
  let level: object | null = prototype;
  while (level !== null && level !== Object.prototype) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(level))) {
      if (typeof value === 'function' && name !== 'constructor') names.add(name);
    }
    level = Reflect.getPrototypeOf(level);
  }
  return [...names];
}
