import { afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { assertData, deadLetterTopic } from '@patchtrail/contracts';
import { DomainError } from '@patchtrail/event-sourcing';
import { eventually, runScript, silentLog } from '@patchtrail/testing';
import { missingKafka, testBrokers } from '@patchtrail/testing/kafka';
import { lane } from '@patchtrail/testing/lane';
import { type IHeaders, Kafka, type KafkaMessage, logLevel, Partitioners } from 'kafkajs';
import { type Apply, consume, parkedCount, replayParked } from '../index.js';
import { openStage, Sent, type Stage } from '../messaging.suite.js';
import { unique } from '../test-messages.suite.js';
import { type KafkaBus, openKafkaBus } from './kafka-bus.js';

const GROUP = 'spec.effects';
const DEADLINE = { deadlineMs: 20_000 };

lane('outbox, inbox and parking on Kafka', await missingKafka(), () => {
  let stage: Stage;
  let brokers: readonly string[];
  let prefix: string;
  let bus: KafkaBus;
  let stop: AbortController;
  let poisonous: boolean;
  const running: Promise<void>[] = [];

  beforeAll(async () => {
    brokers = await testBrokers();
  }, 120_000);
  beforeEach(async () => {
    stage = await openStage();
    prefix = `${unique('spec').slice(0, 20)}.`;
    bus = await openKafkaBus({ brokers, prefix, pace: { redeliveryMs: 10 } });
    await bus.ensureTopic(Sent.topic, 2);
    stop = new AbortController();
    poisonous = true;
    running.push(stage.relay(stop.signal, bus));
  });
  afterEach(async () => {
    stop.abort();
    await Promise.all(running);
    running.length = 0;
    await bus.close();
    await stage.close();
  });

  const apply: Apply = async (tx, message) => {
    await stage.effect(tx, message);
    const { reason } = assertData(Sent, message.data);
    if (reason === 'refuse') throw new DomainError('not-today', 'reason: it must not be refuse');
    if (reason === 'poison' && poisonous) throw new Error('failed on poison');
  };
  const start = () => {
    const { done } = consume({
      bus,
      db: stage.db,
      group: GROUP,
      topics: [Sent.topic],
      apply,
      signal: stop.signal,
      log: silentLog,
      retryDelaysMs: [1, 1],
    });
    running.push(done);
  };
  const consumed = () =>
    eventually(async () => {
      expect(await stage.db.rows('SELECT 1 FROM outbox')).toEqual([]);
      expect(await bus.lag(GROUP, [Sent.topic])).toBe(0n);
    }, DEADLINE);
  const refused = () =>
    stage.db.rows<{ code: string; cause: string; message: unknown }>(
      'SELECT code, cause, message FROM refused_messages ORDER BY "offset"',
    );

  const text = (headers: IHeaders = {}) =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
  /** As another program sees them. */
  const letters = async (count: number) => {
    const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
    const consumer = kafka.consumer({ groupId: unique('letters') });
    const topic = `${prefix}${deadLetterTopic(Sent.topic, GROUP)}`;
    const read: KafkaMessage[] = [];
    await consumer.connect();
    try {
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        eachMessage: ({ message }) => {
          read.push(message);
          return Promise.resolve();
        },
      });
      await eventually(() => expect(read).toHaveLength(count), DEADLINE);
    } finally {
      await consumer.disconnect();
    }
    return read;
  };

  it('applies once what the outbox sent, in its order, also when it is read again', async () => {
    start();
    const ids = await stage.send('a', 'one', 'two', 'three');
    await consumed();
    expect(await stage.effects()).toEqual(ids);
    stop.abort();
    await Promise.all(running.splice(0));
    await bus.rewind(GROUP, [Sent.topic]);
    stop = new AbortController();
    start();
    await consumed();
    expect(await stage.effects()).toEqual(ids);
  });

  it('records a refusal and goes on', async () => {
    start();
    const [, after] = await stage.send('a', 'refuse', 'fine');
    await consumed();
    expect(await stage.effects()).toEqual([after]);
    expect(await refused()).toMatchObject([{ code: 'not-today' }]);
  });

  it('parks a key that fails, and replays it in its order', async () => {
    start();
    const bad = await stage.send('bad', 'poison', 'behind');
    const good = await stage.send('good', 'fine');
    await consumed();
    expect(await stage.effects()).toEqual(good);
    expect(await parkedCount(stage.db)).toBe(2);
    const [letter] = await letters(1);
    expect(letter?.key?.toString()).toBe('bad');
    expect(text(letter?.headers)).toMatchObject({
      ...{ ce_id: bad[0], ce_originaltopic: Sent.topic, ce_originaloffset: '0' },
      ...{ ce_consumergroup: GROUP, ce_errormessage: 'Error: failed on poison' },
    });
    poisonous = false;
    expect(await replayParked({ db: stage.db, group: GROUP, key: 'bad', apply })).toBe(2);
    expect(await stage.effects()).toEqual([...good, ...bad]);
  });

  it('records bytes that are no message, with what they were, and goes on', async () => {
    const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    const headers = { ce_specversion: '1.0', ce_id: 'x', 'content-type': 'application/json' };
    await producer.send({
      topic: `${prefix}${Sent.topic}`,
      messages: [
        { partition: 0, value: Buffer.from([0xff, 0x00]) },
        { partition: 0, key: 'key', value: '{"half":', headers },
        { partition: 0, value: null },
      ],
    });
    await producer.disconnect();
    start();
    const ids = await stage.send('a', 'fine');
    await consumed();
    expect(await stage.effects()).toEqual(ids);
    const records = await refused();
    expect(records.map(({ code }) => code)).toEqual(Array(3).fill('contract-violation'));
    expect((await letters(3)).map(({ headers }) => text(headers)['ce_errorcode'])).toEqual(
      Array(3).fill('contract-violation'),
    );
    expect(records[0]?.message).toMatchObject({ data_base64: '/wA=' });
    expect(records[1]).toMatchObject({
      cause: expect.stringContaining('/source'),
      message: { id: 'x', partitionkey: 'key' },
    });
  });

  it('acts once when its process is killed between the effect and the offset', async () => {
    const script = new URL('./consumer.script.suite.ts', import.meta.url);
    const args = [stage.db.url, brokers.join(','), prefix, GROUP, Sent.topic];
    const consumer = runScript(script, { args });
    const ids = await stage.send('a', 'one', 'two');
    await consumer.line(new RegExp(`applied ${String(ids[0])}`));
    await consumer.kill('SIGKILL');
    expect(await stage.effects()).toEqual(ids.slice(0, 1));
    expect(await bus.lag(GROUP, [Sent.topic])).toBe(2n);
    start();
    await consumed();
    expect(await stage.effects()).toEqual(ids);
  });
});
