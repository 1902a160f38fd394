import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

/** An answer that is not a success, as the product gave it. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
  ) {
    super(`${String(status)} ${code}: ${detail}`);
    this.name = 'Refused';
  }
}

export type Answer<T> = Readonly<{ body: T; etag: string | null }>;

export type Client = Readonly<{
  get: <T>(path: string) => Promise<Answer<T>>;
  /** `ifMatch` is the ETag of the state that the caller has seen. */
  post: <T>(path: string, body: unknown, ifMatch?: string) => Promise<Answer<T>>;
}>;

const REQUEST_MS_MAX = 60_000;

/** The public API as one person uses it. */
export function clientFor(baseUrl: string, token: string): Client {
  const call = async <T>(path: string, init: RequestInit): Promise<Answer<T>> => {
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${token}`);
    const signal = AbortSignal.timeout(REQUEST_MS_MAX);
    const response = await fetch(new URL(path, baseUrl), { ...init, headers, signal });
    const text = await response.text();
    if (!response.ok) throw refusal(response.status, text);
    return { body: JSON.parse(text) as T, etag: response.headers.get('etag') };
  };
  return {
    get: (path) => call(path, { method: 'GET' }),
    post: (path, body, ifMatch) => {
      const headers = new Headers({
        'content-type': 'application/json',
        'idempotency-key': randomUUID(),
      });
      if (ifMatch !== undefined) headers.set('if-match', ifMatch);
      return call(path, { method: 'POST', headers, body: JSON.stringify(body) });
    },
  };
}

function refusal(status: number, text: string): Refused {
  try {
    const problem = JSON.parse(text) as { code?: string; detail?: string };
    return new Refused(status, problem.code ?? 'unknown', problem.detail ?? text);
  } catch {
    return new Refused(status, 'unknown', text.slice(0, 500));
  }
}

/** Asks until there is an answer; says what it was waiting for when the deadline has passed. */
export async function until<T>(
  what: string,
  deadlineMs: number,
  ask: () => Promise<T | null>,
): Promise<T> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (Date.now() > deadline)
      throw new Error(`Waited ${String(deadlineMs)} ms in vain for ${what}.`);
    await delay(250);
  }
}
