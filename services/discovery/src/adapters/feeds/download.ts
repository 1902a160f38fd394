import { createReadStream } from 'node:fs';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { FeedRefusal } from '../../domain/feed-refusal.js';

export type DownloadLimits = Readonly<{ sizeMax: number; timeoutMs: number; signal: AbortSignal }>;

const REDIRECTS_MAX = 5;

/** The whole resource, at most `sizeMax` bytes. @throws FeedRefusal */
export async function download(uri: string, limits: DownloadLimits): Promise<Buffer> {
  const deadline = AbortSignal.timeout(limits.timeoutMs);
  const signal = AbortSignal.any([deadline, limits.signal]);
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of await open(new URL(uri), signal)) {
      const bytes = Buffer.from(chunk);
      size += bytes.length;
      if (size > limits.sizeMax) {
        throw new FeedRefusal('too-large', `${uri} is above ${limits.sizeMax} bytes`);
      }
      chunks.push(bytes);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    throw asRefusal(error, uri, signal);
  }
}

/** That the work was given up, for whatever reason, says nothing of the archive. */
function asRefusal(error: unknown, uri: string, { aborted, reason }: AbortSignal): unknown {
  if (error instanceof FeedRefusal) return error;
  const late = reason instanceof DOMException && reason.name === 'TimeoutError';
  if (late) return new FeedRefusal('timeout', `${uri} was not read in time`);
  if (aborted) return error;
  return new FeedRefusal('unreachable', `${uri}: ${causeOf(error)}`);
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  const cause = error.cause instanceof Error ? error.cause : error;
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message;
}

async function open(url: URL, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  if (url.protocol === 'file:') return createReadStream(fileURLToPath(url), { signal });
  let at = url;
  for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects += 1) {
    // A redirect is followed by hand: it must not lead from the network into the file system.
    const response = await fetch(at.href, { redirect: 'manual', signal });
    const location = response.headers.get('location');
    if (response.status >= 300 && response.status < 400 && location !== null) {
      await response.body?.cancel();
      at = redirected(at, location);
      continue;
    }
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      throw new FeedRefusal('unreachable', `${at.href} answered ${response.status}`);
    }
    return Readable.fromWeb(response.body);
  }
  throw new FeedRefusal('unreachable', `${url.href} redirects more than ${REDIRECTS_MAX} times`);
}

function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from.href) : null;
  if (to === null || !['http:', 'https:'].includes(to.protocol)) {
    throw new FeedRefusal('unreachable', `${from.href} redirects to what is not http or https`);
  }
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    throw new FeedRefusal('unreachable', `${from.href} redirects from https to http`);
  }
  return to;
}

export type Expected = Readonly<{ uri: string; size: number; sha256: string }>;

/** The resource, once its size and digest are the expected ones. @throws FeedRefusal */
export async function downloadVerified(
  { uri, size, sha256 }: Expected,
  limits: DownloadLimits,
): Promise<Buffer> {
  if (size > limits.sizeMax) {
    throw new FeedRefusal('too-large', `${uri} is listed with ${size} bytes`);
  }
  const bytes = await download(uri, { ...limits, sizeMax: size });
  if (bytes.length < size) {
    throw new FeedRefusal('truncated', `${uri} has ${bytes.length} of ${size} bytes`);
  }
  if (createHash('sha256').update(bytes).digest('hex') !== sha256) {
    throw new FeedRefusal('hash-mismatch', `${uri} does not have the signed SHA-256`);
  }
  return bytes;
}
