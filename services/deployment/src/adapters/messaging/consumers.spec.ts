import { expect, it } from '@jest/globals';
import { CONSUMERS } from '@patchtrail/contracts';
import { createMemoryEventStore } from '@patchtrail/event-store';
import type { Sql } from '@patchtrail/postgres';
import { typesActedOn } from '@patchtrail/testing';
import { createStreams } from '../../application/streams.js';
import { rolloutCodec } from '../event-store/rollout-codec.js';
import { wavePartCodec } from '../event-store/wave-part-codec.js';
import { onApproval } from './on-approval.js';
import { onDiscovery } from './on-discovery.js';

it('what comes from discovery is acted on as its group says', async () => {
  expect(await typesActedOn(onDiscovery)).toEqual(CONSUMERS.deploymentFleet.types);
});

it('what comes from approval is acted on as its group says', async () => {
  const store = createMemoryEventStore();
  const authorize = onApproval(
    createStreams(store, { rollout: rolloutCodec, wavePart: wavePartCodec }),
    () => new Date(),
  );
  const throughTheStore = async (tx: Sql, message: Parameters<typeof authorize>[1]) => {
    const before = await store.head();
    await authorize(tx, message);
    if ((await store.head()) !== before) await tx.rows('it is acted on');
  };
  expect(await typesActedOn(throughTheStore)).toEqual(CONSUMERS.deploymentRequests.types);
});
