import type { Role } from '@patchtrail/auth';
import type { TSchema } from '@sinclair/typebox';

/** Who may call a route. */
export type Access =
  | Readonly<{ for: 'people'; roles: readonly Role[] }>
  | Readonly<{ for: 'endpoints' }>
  | Readonly<{ for: 'anyone' }>;

/** What a route says when it succeeds; `orNothing`: or 204. */
export type Answer = Readonly<{ schema: TSchema; orNothing: boolean }>;

/** What a route takes besides path, query and body. */
export type RoutePart = 'command' | 'if-match' | 'as-of';

const guarded = new WeakSet<object>();
const accesses = new WeakMap<object, readonly Access[]>();
const answers = new WeakMap<object, Answer>();
const parts = new WeakMap<object, Map<string | symbol, ReadonlySet<RoutePart>>>();

/** A controller whose routes run through the access check. */
export function noteGuarded(controller: object): void {
  guarded.add(controller);
}

export function isGuarded(controller: object): boolean {
  return guarded.has(controller);
}

/** `handler` is the method's function. */
export function noteAccess(handler: object, access: Access): void {
  accesses.set(handler, [...accessesOf(handler), access]);
}

export function accessesOf(handler: object): readonly Access[] {
  return accesses.get(handler) ?? [];
}

export function noteAnswer(handler: object, answer: Answer): void {
  answers.set(handler, answer);
}

export function answerOf(handler: object): Answer | undefined {
  return answers.get(handler);
}

export function notePart(prototype: object, method: string | symbol, part: RoutePart): void {
  const known = parts.get(prototype) ?? new Map<string | symbol, ReadonlySet<RoutePart>>();
  known.set(method, new Set([...(known.get(method) ?? []), part]));
  parts.set(prototype, known);
}

export function partsOf(prototype: object, method: string | symbol): ReadonlySet<RoutePart> {
  return parts.get(prototype)?.get(method) ?? new Set();
}
