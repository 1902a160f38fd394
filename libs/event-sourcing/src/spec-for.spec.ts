import assert from 'node:assert/strict';
import { describe, it } from '@jest/globals';
import { type Decider, DomainError, type Message, specFor } from './index.js';

type Command = Message<'Add', { by: number }>;
type Event = Message<'Added', { by: number }>;
const counter: Decider<number, Command, Event> = {
  initial: 0,
  decide: ({ data }, total) => {
    if (data.by < 0) throw new DomainError('negative');
    if (data.by === 0) return [];
    return total + data.by > 10 ? [] : [{ type: 'Added', data }];
  },
  evolve: (total, { data }) => total + data.by,
};
const given = specFor(counter);
const add = (by: number): Command => ({ type: 'Add', data: { by } });
const added = (by: number): Event => ({ type: 'Added', data: { by } });

describe('specFor', () => {
  it('holds where the events are exactly these', () => {
    given(added(1)).when(add(2)).then(added(2));
    given(added(9)).when(add(2)).thenNothing();
    given().when(add(-1)).thenRefused('negative');
  });

  it('fails where an event is missing, different or too many', () => {
    assert.throws(() => given().when(add(2)).then());
    assert.throws(() => given().when(add(2)).then(added(3)));
    assert.throws(() => given().when(add(2)).then(added(2), added(2)));
    assert.throws(() => given().when(add(2)).thenNothing());
  });

  it('fails where nothing was refused, or for another reason', () => {
    assert.throws(() => given().when(add(2)).thenRefused('negative'));
    assert.throws(() => given().when(add(-1)).thenRefused('too-large'));
  });
});
