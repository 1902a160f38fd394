import assert from 'node:assert/strict';
import { describe, expect, it } from '@jest/globals';
import { type CloudEvent, decoder } from '@patchtrail/contracts';
import {
  createMemoryEventStore,
  type NewEvent,
  type StoredEvent,
  UndecodableEvent,
} from '@patchtrail/event-store';
import { goldenEvents } from '@patchtrail/event-store/golden';
import type { Sql } from '@patchtrail/postgres';
import { Type } from '@sinclair/typebox';
import { createAudit } from '../../application/audit.suite.js';
import { parsePartStream } from '../../application/names.js';
import { createStreams } from '../../application/streams.js';
import { viewRollout } from '../../application/view-rollout.js';
import { GOLDEN } from './golden.suite.js';
import { messagesOf } from './publish.js';
import { rolloutCodec } from './rollout-codec.js';
import { wavePartCodec } from './wave-part-codec.js';

const FILES = ['completed', 'rolled-back', 'rollback-failed'] as const;
type File = (typeof FILES)[number];

const Text = Type.String();
const recorded = (file: File) => goldenEvents(GOLDEN, file);

/** The recorded events in a store, as the service reads them. */
async function restored(file: File) {
  const store = createMemoryEventStore();
  const events = recorded(file);
  for (const { stream, revision, id, type, data, metadata } of events) {
    const event: NewEvent = { id, type, data, metadata };
    await store.append(stream, revision === 0 ? 'no-stream' : revision - 1, [event]);
  }
  return {
    events,
    streams: createStreams(store, { rollout: rolloutCodec, wavePart: wavePartCodec }),
  };
}

const rolloutIdIn = ([first]: readonly StoredEvent[]) => {
  assert.ok(first);
  return first.stream.slice('rollout-'.length);
};

describe('what was recorded once is shown as it was', () => {
  it.each([
    ['completed', { planned: 1, alreadyCompliant: 1 }, { 'already-compliant': 1 }],
    ['rolled-back', { planned: 2, verified: 1, timedOut: 1, rolledBack: 1 }, { 'rolled-back': 1 }],
    [
      'rollback-failed',
      { planned: 3, verified: 1, cancelled: 2 },
      { 'rollback-failed': 1, cancelled: 1 },
    ],
  ] as const)('%s', async (file, totals, states) => {
    const { events, streams } = await restored(file);
    const viewed = await viewRollout(streams, rolloutIdIn(events), undefined);
    expect(viewed?.view).toMatchObject({ status: file, totals, rings: [{ states }, {}] });
    const audit = createAudit();
    for (const event of events) audit.see(event);
    audit.settle();
  });
});

describe('a stored event that does not fit is never passed over', () => {
  const [created, planned] = recorded('completed');
  assert.ok(created && planned);
  it.each([
    ['of an unknown type', rolloutCodec, { ...created, type: 'RolloutForgotten' }],
    ['without a field', rolloutCodec, { ...created, data: {} }],
    ['of a part without a field', wavePartCodec, { ...planned, data: {} }],
    ['of the other kind of stream', wavePartCodec, created],
  ])('%s', (_, codec, event) => {
    expect(() => codec.decode(event)).toThrow(UndecodableEvent);
  });
});

describe('publishing', () => {
  /** Numbers messages as the table does. */
  function numbering(): Sql {
    const numbers = new Map<unknown, number>();
    return {
      run: () => Promise.resolve(0),
      rows: <T>(_: string, [id]: readonly unknown[] = []) => {
        const number = numbers.get(id) ?? numbers.size + 1;
        numbers.set(id, number);
        const rows: readonly unknown[] = [{ number: String(number) }];
        return Promise.resolve(rows as T[]);
      },
    };
  }
  async function published(file: File) {
    const { events, streams } = await restored(file);
    const messages: CloudEvent[] = [];
    const say = messagesOf(numbering(), streams);
    for (const event of events) messages.push(...(await say(event)).map(({ message }) => message));
    return { events, messages, say };
  }

  it.each(FILES)('of %s fits its contracts, keyed by the rollout', async (file) => {
    const { events, messages } = await published(file);
    expect(new Set(messages.map(({ partitionkey }) => partitionkey))).toEqual(
      new Set([rolloutIdIn(events)]),
    );
    const ids = messages.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const kind of [/OutcomesRecorded/, /(?<!OutcomesRecorded)\.v1$/]) {
      const sequences = messages.filter(({ type }) => kind.test(type)).map((one) => one.sequence);
      expect(sequences).toEqual([...sequences].sort());
    }
  });

  it('says every end state once, late reports as late, and no retry', async () => {
    const outcomes = async (file: File) =>
      (await published(file)).messages
        .filter(({ type }) => type.includes('OutcomesRecorded'))
        .flatMap(({ data }) => decodeOutcomes(data).outcomes)
        .map(({ outcome, late }) => `${outcome}${late ? ' late' : ''}`);
    expect(await outcomes('completed')).toEqual(['already-compliant', 'failed late']);
    expect(await outcomes('rolled-back')).toEqual(['verified', 'timed-out', 'rolled-back']);
    expect(await outcomes('rollback-failed')).toEqual([
      ...['cancelled', 'cancelled', 'verified', 'rollback-failed'],
    ]);
  });

  it('again gives the same message', async () => {
    const { events, messages, say } = await published('completed');
    const outcome = events.find(({ stream, type }) => {
      return parsePartStream(stream) !== null && type === 'OutcomesRecorded';
    });
    assert.ok(outcome);
    const [again] = await say(outcome);
    expect(again?.message).toEqual(messages.find(({ id }) => id === outcome.id));
  });
});

const decodeOutcomes = decoder(
  Type.Object({ outcomes: Type.Array(Type.Object({ outcome: Text, late: Type.Boolean() })) }),
);
