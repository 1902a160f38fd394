import { randomUUID } from 'node:crypto';
import type { Static, TSchema } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import type { ApiConfig } from './config.js';

const DEADLINE_MS = 60_000;

const Problem = Type.Object({ code: Type.String(), detail: Type.String() });

/** An answer of the API. @throws Error with what the API refused, or why there was no answer */
export async function ask<S extends TSchema>(
  { url, token }: ApiConfig,
  path: string,
  schema: S,
  body?: object,
): Promise<Static<S>> {
  const response = await answered(new URL(path, url), {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined
        ? {}
        : { 'content-type': 'application/json', 'idempotency-key': randomUUID() }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) {
    const { status } = response;
    throw new Error(
      Value.Check(Problem, answer) ? `${answer.code}: ${answer.detail}` : `HTTP ${status}`,
    );
  }
  if (Value.Check(schema, answer)) return answer;
  throw new Error(`${url.origin} answered with something else than this version understands.`);
}

async function answered(url: URL, request: RequestInit): Promise<Response> {
  try {
    return await fetch(url, request);
  } catch (cause) {
    throw new Error(`No answer from PATCHTRAIL_URL, ${url.origin}: ${reasonOf(cause)}`, { cause });
  }
}

/** What `fetch` says is only that it failed. */
function reasonOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(inner instanceof Error)) return String(inner);
  return inner.message === '' ? inner.name : inner.message;
}
