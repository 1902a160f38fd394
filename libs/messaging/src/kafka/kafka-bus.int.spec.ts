import { beforeAll } from '@jest/globals';
import { missingKafka, testBrokers } from '@patchtrail/testing/kafka';
import { lane } from '@patchtrail/testing/lane';
import { describeBus } from '../bus.suite.js';
import { openKafkaBus } from './kafka-bus.js';

lane('on Kafka', await missingKafka(), () => {
  // The first to ask waits until it has started.
  beforeAll(async () => {
    await testBrokers();
  }, 120_000);
  describeBus('the Kafka bus', async () => {
    const brokers = await testBrokers();
    return {
      deadlineMs: 20_000,
      open: () => openKafkaBus({ brokers, prefix: 'spec.', pace: { redeliveryMs: 10 } }),
      // No database is near this bus.
      inRolledBackTransaction: (work) => work(),
      close: () => Promise.resolve(),
    };
  });
});
