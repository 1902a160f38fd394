import { digestOf } from '@patchtrail/contracts';
import { Optional, Text, Whole } from './fields.js';
import { problem } from './problem.js';
import { isStorableText } from './text-rules.js';

export const PAGE_SIZE_DEFAULT = 100;
export const PAGE_SIZE_MAX = 500;
const TOKEN_CHARS_MAX = 2_000;
const FILTER_DIGEST_CHARS = 16;

/** The query fields of a list; a DTO with filters extends it. */
export class PageQuery {
  /** 0 and nothing mean 100; more than 500 means 500. */
  @Whole() @Optional() page_size?: number;
  @Text({ max: TOKEN_CHARS_MAX }) @Optional() page_token?: string;
}

export type Page = Readonly<{
  /** At most this many rows; ask the table for one more to know whether a page follows. */
  limit: number;
  /** The cursor the last page ended with; `null` for the first page. */
  after: string | null;
}>;

/**
 * `shape` is that of the cursors which the list gives out: anybody can make a token of another.
 * @throws Problem 400 `invalid-page-token` when malformed, or issued for another filter
 */
export function pageOf(query: PageQuery, filter: unknown, shape = /./s): Page {
  const { page_size: size = 0, page_token: token } = query;
  const limit = size === 0 ? PAGE_SIZE_DEFAULT : Math.min(size, PAGE_SIZE_MAX);
  return { limit, after: token === undefined ? null : cursorIn(token, filter, shape) };
}

/** Opaque; good for the same filter only. `after` is the key of the last row of the page. */
export function pageToken(filter: unknown, after: string): string {
  return Buffer.from(`${mark(filter)}${after}`).toString('base64url');
}

export type Paged<T> = Readonly<{ items: readonly T[]; nextPageToken: string | null }>;

/** A page out of at most `limit + 1` rows. */
export function paged<T>(
  rows: readonly T[],
  { limit }: Page,
  filter: unknown,
  keyOf: (row: T) => string,
): Paged<T> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { items, nextPageToken: more ? pageToken(filter, keyOf(last)) : null };
}

function mark(filter: unknown): string {
  return digestOf(filter).slice('sha256:'.length, 'sha256:'.length + FILTER_DIGEST_CHARS);
}

function cursorIn(token: string, filter: unknown, shape: RegExp): string {
  const text = Buffer.from(token, 'base64url').toString('utf8');
  const intact = Buffer.from(text).toString('base64url') === token && isStorableText(text);
  const cursor = text.slice(FILTER_DIGEST_CHARS);
  if (!intact || !text.startsWith(mark(filter)) || !shape.test(cursor)) {
    const rule = 'must be a token that this list returned for the same filter';
    throw problem('invalid-page-token', `page_token ${rule}.`, [{ field: 'page_token', rule }]);
  }
  return cursor;
}
