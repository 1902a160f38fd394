import { describe, expect, it } from '@jest/globals';
import type { EachBatchPayload, KafkaMessage, OffsetsByTopicPartition } from 'kafkajs';
import type { ConsumerOptions } from '../bus.js';
import { idsOf, messagesOver } from '../test-messages.suite.js';
import { toRecord } from './cloud-event.js';
import { createDeliverer } from './deliver.js';
import { createMemberHealth } from './health.js';

const TOPIC = 'topic';
const PACE = { heartbeatMs: 60_000, silenceMs: 60_000, redeliveryMs: 60_000, commitMs: 0 };

describe('a batch of a Kafka partition', () => {
  const messages = messagesOver(['one', 'other'], 4);
  const records = messages.map((message, at): KafkaMessage => {
    const { headers, value } = toRecord(message, JSON.stringify(message.data));
    const [key, data] = [Buffer.from(message.partitionkey), Buffer.from(String(value))];
    return { key, value: data, headers, timestamp: '0', attributes: 0, offset: String(at) };
  });
  /** What the client gives for a batch, and what is asked of it. */
  const batchOf = (refusal: Error | null) => {
    const asked = { resolved: [] as string[], committed: [] as string[], paused: 0 };
    const payload: EachBatchPayload = {
      batch: {
        ...{ topic: TOPIC, partition: 0, highWatermark: '4', messages: records },
        isEmpty: () => false,
        firstOffset: () => '0',
        lastOffset: () => '3',
        offsetLag: () => '0',
        offsetLagLow: () => '0',
      },
      resolveOffset: (offset) => void asked.resolved.push(offset),
      commitOffsetsIfNecessary: (offsets?: OffsetsByTopicPartition) => {
        if (refusal !== null) return Promise.reject(refusal);
        asked.committed.push(offsets?.topics[0]?.partitions[0]?.offset ?? 'none');
        return Promise.resolve();
      },
      heartbeat: () => Promise.resolve(),
      pause: () => {
        asked.paused += 1;
        return () => undefined;
      },
      uncommittedOffsets: () => ({ topics: [] }),
      isRunning: () => true,
      isStale: () => false,
    };
    return { payload, asked };
  };
  const delivererOf = (handle: ConsumerOptions['handle']) =>
    createDeliverer({
      ...{ group: 'group', topics: [TOPIC], handle, pace: PACE, log: undefined },
      ...{ signal: new AbortController().signal, health: createMemberHealth('group') },
    });

  it('is read further from where it is committed', async () => {
    const got: string[] = [];
    const { payload, asked } = batchOf(null);
    const { eachBatch } = delivererOf(({ message }) => Promise.resolve(void got.push(message.id)));
    await eachBatch(payload);
    expect(got.toSorted()).toEqual(idsOf(messages).toSorted());
    expect(asked.committed.at(-1)).toBe('4');
    expect(asked.resolved.at(-1)).toBe('3');
  });

  it('comes again from where it is committed, if a commit fails', async () => {
    const lost = new Error('not enough copies');
    const { payload, asked } = batchOf(lost);
    const { eachBatch } = delivererOf(() => Promise.resolve());
    await expect(eachBatch(payload)).rejects.toBe(lost);
    expect(asked.resolved).toEqual([]);
  });
});
