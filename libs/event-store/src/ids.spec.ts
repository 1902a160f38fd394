import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { v5, validate } from 'uuid';
import { commandIdFrom, eventIdFrom } from './ids.js';

it('derives the same id from the same parts, for ever', () => {
  expect(commandIdFrom('approval', 'a', '1')).toBe(commandIdFrom('approval', 'a', '1'));
  expect(commandIdFrom('approval', 'a', '1')).toMatchInlineSnapshot(
    `"cc194316-8bcb-5af1-828a-50c9f1f65572"`,
  );
});

const event = {
  commandId: 'c',
  stream: 'counter-1',
  index: 0,
  count: 1,
  type: 'Added',
  data: { by: 1 },
};

it('derives other ids from other parts, however they are cut', () => {
  const ids = [
    commandIdFrom('ab', 'c'),
    commandIdFrom('a', 'bc'),
    commandIdFrom('abc'),
    commandIdFrom('c', 'ab'),
    commandIdFrom('["ab","c"]'),
    eventIdFrom(event),
    eventIdFrom({ ...event, commandId: 'd' }),
    eventIdFrom({ ...event, stream: 'counter-2' }),
    eventIdFrom({ ...event, index: 1 }),
    eventIdFrom({ ...event, count: 2 }),
    eventIdFrom({ ...event, type: 'Taken' }),
    eventIdFrom({ ...event, data: { by: 2 } }),
  ];
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.every((id) => validate(id))).toBe(true);
});

it('derives ids as RFC 9562 has them', () => {
  const namespace = '5d0f4a53-7c0e-4b0b-9a35-8d1c2be1f6a7';
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (parts) => {
      expect(commandIdFrom(...parts)).toBe(v5(JSON.stringify(parts), namespace));
    }),
  );
});
