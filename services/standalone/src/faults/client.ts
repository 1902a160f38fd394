import { setTimeout as pause } from 'node:timers/promises';

/** What became of a command that was repeated until it was answered. */
export type Outcome =
  | Readonly<{ kind: 'acknowledged'; body: Readonly<Record<string, unknown>> }>
  /** The product has said no, and will not have done it. */
  | Readonly<{ kind: 'refused'; status: number; code: string }>
  /** There was no answer in time. */
  | Readonly<{ kind: 'unknown'; reason: string }>;

export type Request = Readonly<{
  /** Which hosts answer it. */
  to: 'front' | 'back';
  method: 'POST' | 'PUT' | 'GET';
  path: string;
  body?: unknown;
  token: string | null;
  /** The same for every try. */
  key?: string;
}>;

export type Caller = Readonly<{
  call: (request: Request) => Promise<Outcome>;
  /** How many tries did not get an answer that counts. */
  retries: () => number;
}>;

const TRY_MS_MAX = 8_000;
const TRIES_MS_MAX = 120_000;
const PAUSE_MS = 100;
/** The same request may succeed later. */
const PASSING_STATUS = [408, 425, 429];
const PASSING_CODES = ['request-in-flight', 'conflict', 'revision-conflict'];

/** Repeats a request, with the same key, at whichever host is up until it is judged. */
export function callerOf(urlFor: (to: Request['to']) => string | null): Caller {
  let retries = 0;
  const call = async (request: Request): Promise<Outcome> => {
    const end = performance.now() + TRIES_MS_MAX;
    let reason = 'no host was up';
    while (performance.now() < end) {
      const base = urlFor(request.to);
      const answer = base === null ? reason : await attempt(base, request);
      if (typeof answer !== 'string') return answer;
      reason = answer;
      retries += 1;
      await pause(PAUSE_MS);
    }
    return { kind: 'unknown', reason };
  };
  return { call, retries: () => retries };
}

/** A text is the reason to ask again. */
async function attempt(base: string, request: Request): Promise<Outcome | string> {
  const { method, path, body, token, key } = request;
  const headers = new Headers({ 'content-type': 'application/json', 'if-match': '*' });
  if (token !== null) headers.set('authorization', `Bearer ${token}`);
  if (key !== undefined) headers.set('idempotency-key', key);
  try {
    const response = await fetch(new URL(path, base), {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TRY_MS_MAX),
    });
    const text = await response.text();
    return judge(response.status, text === '' ? {} : recordOf(JSON.parse(text)));
  } catch (error) {
    return String(error);
  }
}

function judge(status: number, body: Readonly<Record<string, unknown>>): Outcome | string {
  if (status < 300) return { kind: 'acknowledged', body };
  const code = String(body['code']);
  if (status >= 500 || PASSING_STATUS.includes(status) || PASSING_CODES.includes(code)) {
    return `${String(status)} ${code}`;
  }
  return { kind: 'refused', status, code };
}

export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
