import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { assertData, type CloudEvent, deadLetterTopic } from '@patchtrail/contracts';
import { DomainError } from '@patchtrail/event-sourcing';
import { eventually, silentLog } from '@patchtrail/testing';
import { publishDeadLetter } from './dead-letter.js';
import { type Apply, type Bus, consume, MESSAGE_BYTES_MAX, parkedCount } from './index.js';
import { openStage, Sent, type Stage } from './messaging.suite.js';
import { messageOf } from './test-messages.suite.js';

const GROUP = 'spec.effects';
const LETTERS = deadLetterTopic(Sent.topic, GROUP);

describe('a dead letter', () => {
  let stage: Stage;
  let stop: AbortController;
  const running: Promise<void>[] = [];
  const errors: string[] = [];
  const log = { ...silentLog, error: (_: unknown, text: string) => void errors.push(text) };

  beforeEach(async () => {
    stage = await openStage();
    stop = new AbortController();
    errors.length = 0;
    running.push(stage.relay(stop.signal));
  });
  afterEach(async () => {
    stop.abort();
    await Promise.all(running.splice(0));
    await stage.close();
  });

  const apply: Apply = async (tx, message) => {
    const { reason } = assertData(Sent, message.data);
    if (reason === 'refuse') throw new DomainError('not-today', 'reason: it must not be refuse');
    if (reason.startsWith('poison')) throw new Error('two\nlines');
    await stage.effect(tx, message);
  };
  const start = (bus: Bus = stage.bus) => {
    const handled = { db: stage.db, group: GROUP, topics: [Sent.topic], apply };
    const { done } = consume({ ...handled, bus, log, signal: stop.signal, retryDelaysMs: [] });
    running.push(done);
  };
  const letters = async (count: number) => {
    await eventually(async () =>
      expect(await stage.bus.lag('spec.reader', [LETTERS])).toBe(BigInt(count)),
    );
    const read: CloudEvent[] = [];
    const end = new AbortController();
    await stage.bus.run({
      ...{ group: 'spec.reader', topics: [LETTERS], signal: end.signal },
      handle: ({ message }) => {
        read.push(message);
        if (read.length === count) end.abort();
        return Promise.resolve();
      },
    });
    return read;
  };
  const consumed = () =>
    eventually(async () => {
      expect(await stage.db.rows('SELECT 1 FROM outbox')).toEqual([]);
      expect(await stage.bus.lag(GROUP, [Sent.topic])).toBe(0n);
    });

  it('is the message that was parked, with its cause and where it came from', async () => {
    start();
    const [id] = await stage.send('bad', 'poison', 'behind');
    await stage.send('good', 'refuse', 'fine');
    await consumed();
    const [letter] = await letters(1);
    expect(letter).toMatchObject({
      ...{ id, type: Sent.type, partitionkey: 'bad', data: { reason: 'poison' } },
      ...{ originaltopic: Sent.topic, originaloffset: '0', consumergroup: GROUP },
      ...{ errorcode: 'unexpected', errormessage: 'Error: two lines' },
      originalpartition: expect.stringMatching(/^[0-3]$/),
    });
  });

  it('is made of what breaks its contract, in its data or altogether', async () => {
    const wrong = { ...messageOf('key', { reason: 7 }), type: Sent.type };
    const malformed = { ...messageOf('key'), id: '' };
    const bus: Bus = {
      ...stage.bus,
      run: async ({ handle }) => {
        for (const [at, message] of [wrong, malformed].entries()) {
          await handle({ topic: Sent.topic, partition: 3, offset: BigInt(at), message });
        }
      },
    };
    start(bus);
    const [first, second] = await letters(2);
    expect(first).toMatchObject({ id: wrong.id, errorcode: 'contract-violation' });
    expect(second).toMatchObject({
      ...{ id: '3/1', subject: `${Sent.topic}/3/1`, data: malformed },
      ...{ originaltopic: Sent.topic, originalpartition: '3', originaloffset: '1' },
      ...{ errorcode: 'contract-violation', errormessage: expect.stringMatching(/ \/id: /) },
    });
  });

  it('says where to read what is too large to be sent with its cause', async () => {
    const message = { ...messageOf('key', ''), type: Sent.type };
    const { data: _, ...attributes } = message;
    const used = Buffer.byteLength(JSON.stringify(attributes)) + 2;
    const largest = { ...message, data: 'x'.repeat(MESSAGE_BYTES_MAX - used) };
    await stage.bus.publish(Sent.topic, [largest]);
    start();
    const [letter] = await letters(1);
    expect(letter).toMatchObject({ id: largest.id, data: null, originaltopic: Sent.topic });
  });

  it('that cannot be sent holds nothing up, and somebody is told', async () => {
    const refusing: Bus = {
      ...stage.bus,
      publish: () => Promise.reject(new Error('not authorized')),
    };
    start(refusing);
    await stage.send('bad', 'poison');
    const [fine] = await stage.send('good', 'fine');
    await consumed();
    expect(await stage.effects()).toEqual([fine]);
    expect(await parkedCount(stage.db)).toBe(1);
    expect(errors).toContain('A dead letter was not sent.');
  });

  it('is given up where the bus does not answer', async () => {
    const hanging = { ...stage.bus, publish: () => new Promise<never>(() => undefined) };
    const delivery = { topic: Sent.topic, partition: 0, offset: 0n, message: messageOf('key') };
    await publishDeadLetter({ bus: hanging, group: GROUP, log }, delivery, new Error('poison'), 50);
    expect(errors).toEqual(['A dead letter was not sent.']);
  });
});
