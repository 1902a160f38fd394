import assert from 'node:assert/strict';
import type { Show } from './serve-service.js';

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
const NOT_A_FIELD = { field: 'colour', rule: 'is not a known field' };
const NOT_A_TOKEN = {
  field: 'page_token',
  rule: 'must be a token that this list returned for the same filter',
};

/** What every screen refuses: strangers, people without a role, and a request that is malformed. */
export async function assertScreenRefuses(
  show: Show,
  path: string,
  { isList }: Readonly<{ isList: boolean }>,
): Promise<void> {
  const refused = async (asked: string, by: string, status: number, expected: object) => {
    const answer = await show(asked, by);
    assert.equal(answer.status, status, `${asked} for "${by}": ${JSON.stringify(answer.body)}`);
    assert.partialDeepStrictEqual(answer.body, expected, asked);
  };
  const invalid = (asked: string, fault: object, code = 'invalid-request') =>
    refused(asked, 'aud', 400, { code, errors: [fault] });
  await refused(path, '', 401, { code: 'unauthenticated' });
  await refused(path, 'eve', 401, { code: 'unauthenticated' });
  await refused(path, 'guest', 403, { code: 'forbidden' });
  await invalid(`${path}?colour=red`, NOT_A_FIELD);
  await invalid(`${path}?as_of=2026-11-21T09:00:00Z`, { field: 'as_of' });
  if (UUID.test(path)) {
    const malformed = { field: 'id', rule: 'must be a UUID in lower case' };
    await invalid(path.replace(UUID, 'bash'), malformed);
  }
  if (!isList) return;
  await invalid(`${path}?page_size=many`, { field: 'page_size' });
  await invalid(`${path}?page_size=-1`, { field: 'page_size' });
  await invalid(`${path}?page_token=bash`, NOT_A_TOKEN, 'invalid-page-token');
}

/** Every item of a list, page by page; each page but the last must be full. */
export async function allPages(show: Show, path: string, size: number): Promise<unknown[]> {
  const items: unknown[] = [];
  const first = `${path}${path.includes('?') ? '&' : '?'}page_size=${size}`;
  for (let next = first, pages = 0; pages < PAGES_MAX; pages += 1) {
    const { status, body } = await show(next);
    assert.equal(status, 200, JSON.stringify(body));
    const page = pageIn(body);
    items.push(...page.items);
    if (page.nextPageToken === null) return items;
    assert.equal(page.items.length, size);
    next = `${first}&page_token=${page.nextPageToken}`;
  }
  return assert.fail(`More than ${PAGES_MAX} pages.`);
}

const PAGES_MAX = 100;

function pageIn(body: unknown): { items: readonly unknown[]; nextPageToken: string | null } {
  assert.ok(typeof body === 'object' && body !== null && 'data' in body);
  const { data } = body;
  assert.ok(typeof data === 'object' && data !== null && 'items' in data);
  assert.ok('nextPageToken' in data);
  const { items, nextPageToken } = data;
  assert.ok(Array.isArray(items) && (nextPageToken === null || typeof nextPageToken === 'string'));
  return { items, nextPageToken };
}
