import { describe, expect, it } from '@jest/globals';
import { judge, type Observations, RULES } from './oracle.js';

const event = (revision: number, change: Partial<Observations['events'][number]> = {}) => ({
  ...{ stream: 'rollout-1', revision, type: 'Opened', commandId: `c${revision}` },
  ...{ id: `e${revision}`, digest: `d${revision}` },
  ...change,
});
const message = (offset: number, change: Partial<Observations['messages'][number]> = {}) => ({
  ...{ topic: 'rollouts', partition: 0, offset, key: 'k', source: 's', type: 'Opened' },
  ...{ id: `e${offset}`, sequence: BigInt(offset) },
  ...change,
});
const inbox = (...ids: readonly string[]) => ids.map((id) => ({ source: 's', id }));

/** A run in which everything held. */
const HELD: Observations = {
  commands: [
    { mark: 'one', outcome: 'acknowledged' },
    { mark: 'two', outcome: 'acknowledged' },
    { mark: 'no', outcome: 'refused' },
    { mark: 'lost', outcome: 'unknown' },
  ],
  records: [
    { mark: 'one', place: 'rollout-1@0' },
    { mark: 'two', place: 'rollout-1@1' },
  ],
  events: [event(0), event(1)],
  messages: [message(0), message(1), { ...message(0), offset: 2 }],
  streamTopics: ['rollouts'],
  announcements: [{ of: 'rows', expected: ['r'], found: ['r', 'r'] }],
  consumers: [
    { group: 'g', topics: ['rollouts'], types: null, inbox: inbox('e0', 'e1') },
    { group: 'h', topics: ['rollouts'], types: ['Closed'], inbox: [] },
  ],
  effects: [{ of: 'trail', expected: ['e0', 'e1', 'e0'], found: ['e1', 'e0'] }],
  projections: [{ name: 'p', table: 't', differed: false }],
  writes: [
    { lease: 'relay', epoch: 1, at: 10n },
    { lease: 'relay', epoch: 2, at: 20n },
    { lease: 'other', epoch: 1, at: 30n },
  ],
  parked: [],
  lags: [{ what: 'g', lag: 0 }],
};

const BROKEN: readonly (readonly [string, string, Partial<Observations>, RegExp])[] = [
  ['acknowledged-once', 'a lost command', { records: HELD.records.slice(1) }, /one .* lost/],
  [
    'acknowledged-once',
    'a command that is there twice',
    { records: [...HELD.records, { mark: 'two', place: 'rollout-1@2' }] },
    /two was acknowledged and is there 2 times/,
  ],
  [
    'acknowledged-once',
    'an unanswered command that is there twice',
    {
      records: [
        ...HELD.records,
        { mark: 'lost', place: 'rollout-1@2' },
        { mark: 'lost', place: 'rollout-1@3' },
      ],
    },
    /lost was unknown and is there 2 times/,
  ],
  [
    'refused-nothing',
    'a refused command that is there',
    { records: [...HELD.records, { mark: 'no', place: 'rollout-1@2' }] },
    /no was refused and is at rollout-1@2/,
  ],
  ['no-event-twice', 'a gap', { events: [event(0), event(2)] }, /rollout-1 has 2 after 0/],
  ['no-event-twice', 'one id twice', { events: [event(0), event(1, { id: 'e0' })] }, /event e0/],
  [
    'no-event-twice',
    'a command that has said the same twice under new ids',
    { events: [event(0), event(1, { commandId: 'c0', digest: 'd0' })] },
    /same twice: rollout-1 c0 Opened d0/,
  ],
  [
    'published',
    'an event that others of its type precede on the bus',
    { messages: HELD.messages.filter(({ id }) => id === 'e0') },
    /Opened at rollout-1@1 is not on the bus/,
  ],
  [
    'published',
    'a message of an event that is in no stream',
    { events: HELD.events.slice(0, 1) },
    /e1 is on rollouts and in no stream/,
  ],
  [
    'published',
    'a row that the bus does not speak of',
    { announcements: [{ of: 'rows', expected: ['r'], found: [] }] },
    /rows: the bus does not speak of r/,
  ],
  [
    'published',
    'a message of a row that is not there',
    { announcements: [{ of: 'rows', expected: [], found: ['r'] }] },
    /rows: the bus speaks of r, which is not there/,
  ],
  [
    'seen-by-all',
    'a message that a group has not seen',
    { consumers: [{ group: 'g', topics: ['rollouts'], types: null, inbox: inbox('e0') }] },
    /g has not seen s e1/,
  ],
  [
    'seen-by-all',
    'a message of a type that a group acts on and has not seen',
    { consumers: [{ group: 'h', topics: ['rollouts'], types: ['Opened'], inbox: inbox('e0') }] },
    /h has not seen s e1/,
  ],
  [
    'seen-by-all',
    'a message that nobody sent',
    {
      consumers: [
        { group: 'g', topics: ['rollouts'], types: null, inbox: inbox('e0', 'e1', 'e7') },
      ],
    },
    /g has seen s e7, which is not on the bus/,
  ],
  [
    'seen-by-all',
    'an inbox with a message twice',
    {
      consumers: [
        { group: 'g', topics: ['rollouts'], types: null, inbox: inbox('e0', 'e1', 'e1') },
      ],
    },
    /g has s e1 in its inbox twice/,
  ],
  [
    'acted-once',
    'a message without its effect',
    { effects: [{ of: 'trail', expected: ['e0', 'e1'], found: ['e0'] }] },
    /trail: e1 has no effect/,
  ],
  [
    'acted-once',
    'an effect twice',
    { effects: [{ of: 'trail', expected: ['e0'], found: ['e0', 'e0'] }] },
    /trail: e0 has its effect twice/,
  ],
  [
    'acted-once',
    'an effect without a cause',
    { effects: [{ of: 'trail', expected: [], found: ['e0'] }] },
    /trail: e0 has no cause/,
  ],
  [
    'in-order',
    'a bus that has a later number first',
    { messages: [message(0, { id: 'e1', sequence: 1n }), message(1, { id: 'e0', sequence: 0n })] },
    /the bus, rollouts of s for k, has 0 after 1/,
  ],
  [
    'in-order',
    'a group that consumed a later number first',
    { consumers: [{ group: 'g', topics: ['rollouts'], types: null, inbox: inbox('e1', 'e0') }] },
    /^g, rollouts of s for k, has 0 after 1/,
  ],
  [
    'equals-rebuild',
    'rows that a rebuild does not give',
    { projections: [{ name: 'p', table: 't', differed: true }] },
    /p: a rebuild of t gives other rows/,
  ],
  [
    'epochs-rise',
    'a write of a holder that was replaced',
    { writes: [...HELD.writes, { lease: 'relay', epoch: 1, at: 21n }] },
    /relay wrote under 1 after 2/,
  ],
  [
    'nothing-parked',
    'a parked message',
    { parked: [{ what: 'message e1', cause: 'behind another one' }] },
    /message e1 is parked: behind another one/,
  ],
  ['caught-up', 'a reader that is behind', { lags: [{ what: 'g', lag: 3 }] }, /g is 3 behind/],
];

describe('the oracle', () => {
  it('has no objection to a run in which everything held, duplicates on the bus included', () => {
    expect(judge(HELD)).toEqual(new Map());
  });

  it.each(BROKEN)('by %s, sees %s', (rule, _, change, fault) => {
    const faults = judge({ ...HELD, ...change }).get(rule) ?? [];
    expect(faults.join('\n')).toMatch(fault);
  });

  it('has an example against each of its rules', () => {
    expect([...new Set(BROKEN.map(([rule]) => rule))]).toEqual(RULES.map(({ name }) => name));
  });

  it('takes numbers of different keys, sources and topics for what they are', () => {
    const other = [{ key: 'l' }, { source: 't' }, { topic: 'u' }];
    for (const change of other) {
      const messages = [message(5, { id: 'x' }), message(0, { id: 'y', ...change })];
      expect(judge({ ...HELD, messages }).get('in-order')).toBeUndefined();
    }
  });
});
