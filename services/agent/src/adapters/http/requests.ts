import { said } from '../../domain/said.js';
import { ServerRefused, ServerUnavailable } from '../../application/server.js';

export type Request = Readonly<{
  method: 'POST' | 'PUT';
  url: string;
  body: unknown;
  headers?: Readonly<Record<string, string>>;
}>;

export type RequestLimits = Readonly<{
  timeoutMs: number;
  /** Ends a request that is under way when the agent shall stop. */
  signal: AbortSignal;
}>;

const ANSWER_CHARS_MAX = 2 * 1024 * 1024;
// No judgement of what was asked: a credential that has not arrived yet, a conflict of writers.
const RETRYABLE = new Set([401, 408, 412, 425, 429]);

async function textOf(response: Response): Promise<string> {
  if (response.body === null) return '';
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += value;
    if (text.length > ANSWER_CHARS_MAX) {
      await reader.cancel();
      throw new ServerUnavailable('the answer is longer than 2 MiB');
    }
  }
}

function problemOf(text: string): { code: string; detail: string } {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) {
      const code = 'code' in value && typeof value.code === 'string' ? value.code : 'no-code';
      const detail = 'detail' in value && typeof value.detail === 'string' ? value.detail : '';
      return { code, detail: detail.slice(0, 500) };
    }
  } catch {
    // A proxy on the way answers in HTML.
  }
  return { code: 'no-code', detail: text.slice(0, 200) };
}

async function exchange(request: Request, limits: RequestLimits): Promise<[number, string]> {
  const signal = AbortSignal.any([limits.signal, AbortSignal.timeout(limits.timeoutMs)]);
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: { 'content-type': 'application/json', ...request.headers },
      body: JSON.stringify(request.body),
      redirect: 'error',
      signal,
    });
    return [response.status, await textOf(response)];
  } catch (error) {
    if (error instanceof ServerUnavailable) throw error;
    // fetch itself says only that it failed; why is in the cause.
    const cause =
      typeof error === 'object' && error !== null && 'cause' in error ? error.cause : error;
    throw new ServerUnavailable(`${request.method} ${request.url}: ${said(cause)}`);
  }
}

/**
 * The body of a successful answer, empty for 204.
 * @throws ServerRefused for an answer that asking again would not change
 * @throws ServerUnavailable for everything else
 */
export async function send(request: Request, limits: RequestLimits): Promise<string> {
  const [status, text] = await exchange(request, limits);
  if (status >= 200 && status < 300) return text;
  const { code, detail } = problemOf(text);
  if (status >= 400 && status < 500 && !RETRYABLE.has(status)) {
    throw new ServerRefused(status, code, detail);
  }
  throw new ServerUnavailable(
    `${request.method} ${request.url}: ${status} ${code} ${detail}`.trim(),
  );
}
