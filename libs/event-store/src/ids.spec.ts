import { expect, it } from '@jest/globals';
import { validate } from 'uuid';
import { commandIdFrom, eventIdFrom } from './ids.js';

it('derives the same id from the same parts, for ever', () => {
  expect(commandIdFrom('approval', 'a', '1')).toBe(commandIdFrom('approval', 'a', '1'));
  expect(commandIdFrom('approval', 'a', '1')).toMatchInlineSnapshot(
    `"cc194316-8bcb-5af1-828a-50c9f1f65572"`,
  );
});

it('derives other ids from other parts, however they are cut', () => {
  const ids = [
    commandIdFrom('ab', 'c'),
    commandIdFrom('a', 'bc'),
    commandIdFrom('abc'),
    commandIdFrom('c', 'ab'),
    commandIdFrom('["ab","c"]'),
    eventIdFrom('c', 'counter-1', 0),
    eventIdFrom('c', 'counter-1', 1),
    eventIdFrom('c', 'counter-2', 0),
  ];
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.every((id) => validate(id))).toBe(true);
});
