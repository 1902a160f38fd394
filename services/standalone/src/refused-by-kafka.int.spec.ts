import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { CONSUMERS } from '@patchtrail/contracts';
import { removePostgres } from '@patchtrail/postgres';
import type { RunningScript } from '@patchtrail/testing';
import { missingKafka, testBrokers } from '@patchtrail/testing/kafka';
import { lane } from '@patchtrail/testing/lane';
import kafkajs, { type Consumer, Kafka, logLevel, type PartitionAssigner } from 'kafkajs';
import { runProduct } from './product.suite.js';

const TOPIC = 'foreign.things.v1';
const NAME = 'OwnRules';
const PRODUCT_MS_MAX = 240_000;

/** Shares out partitions by rules that nobody else in its group knows. */
const ownRules: PartitionAssigner = (options) => {
  const assigner = kafkajs.PartitionAssigners.roundRobin(options);
  const { metadata } = assigner.protocol({ topics: [TOPIC] });
  return { ...assigner, name: NAME, protocol: () => ({ name: NAME, metadata }) };
};

lane('the product that Kafka refuses for good', await missingKafka(), () => {
  let dataDir: string;
  let brokers: readonly string[];
  let prefix: string;
  let foreign: Consumer;
  let product: RunningScript;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'patchtrail-refused-'));
    prefix = `${randomUUID()}.`;
    brokers = await testBrokers();
    const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 1 }] });
    await admin.disconnect();
    foreign = kafka.consumer({
      groupId: `${prefix}${CONSUMERS.deploymentRequests.group}`,
      partitionAssigners: [ownRules],
    });
    const joined = new Promise((resolve) => foreign.on(foreign.events.GROUP_JOIN, resolve));
    await foreign.connect();
    await foreign.subscribe({ topic: TOPIC });
    await foreign.run({ eachMessage: () => Promise.resolve() });
    await joined;
  });
  afterEach(async () => {
    await product.kill();
    await foreign.disconnect();
    await removePostgres(join(dataDir, 'postgres'));
    await rm(dataDir, { recursive: true, force: true });
  });

  it(
    'says so, stops in order and ends with status 1 for whoever supervises it',
    async () => {
      const env = { KAFKA_BROKERS: brokers.join(','), KAFKA_PREFIX: prefix };
      product = runProduct({ dataDir, env });
      expect(await product.exited).toEqual({ code: 1, signal: null });
      const log = product.errors();
      expect(log).toMatch(
        /ended the member of \S*deployment\.on-approval for good: .*protocols are incompatible/,
      );
      expect(log).toContain('Patchtrail cannot go on and stops.');
      expect(log).not.toMatch(/Not everything could be stopped|this client is closed/);
    },
    PRODUCT_MS_MAX,
  );
});
