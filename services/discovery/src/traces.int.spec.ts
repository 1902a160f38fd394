import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { inSpan } from '@patchtrail/telemetry';
import { collectOwn, type CollectedSpan, type OwnTelemetry } from '@patchtrail/telemetry/collector';
import { openRepository, type Repository } from './adapters/feeds/signed-repository.suite.js';
import { workQueue } from './adapters/postgres/work-queue.js';
import {
  type Discovery,
  enrol,
  inventory,
  startDiscovery,
  text,
} from './discovery-harness.suite.js';

const ASKERS_MAX = 32;

let repository: Repository;
let telemetry: OwnTelemetry;
let discovery: Discovery;
let endpointId: string;
let report: () => Promise<unknown>;
beforeEach(async () => {
  repository = await openRepository();
  await repository.publish({ packages: ['a', 'b'].map((name) => ({ name, version: '2' })) });
  telemetry = await collectOwn();
  discovery = await startDiscovery();
  const { uri, suite, keyring } = repository;
  const place = { uri, suite, components: ['main'] };
  const admitted = await discovery.call('POST', '/v1/package-sources', {
    body: { ...place, architectures: ['amd64'], keyring },
  });
  await discovery.call('POST', `/v1/package-sources/${text(admitted.body, 'sourceId')}/syncs`);
  const endpoint = await enrol(discovery, 'web-1');
  endpointId = endpoint.endpointId;
  const packages = [
    ['a', '1'],
    ['b', '1'],
  ] as const;
  let sequence = 0;
  report = () => {
    sequence += 1;
    const sources = [{ ...place, keyFingerprints: [] }];
    return discovery.call('PUT', `/v1/endpoints/${endpointId}/inventory`, {
      ...{ as: endpoint.credential, body: inventory(sequence, packages, { sources }) },
    });
  };
});
afterEach(async () => {
  await telemetry.stop();
  await discovery.stop();
  await repository.remove();
});

const idsOf = (spans: readonly CollectedSpan[]) =>
  spans.map(({ traceId, spanId }) => ({ traceId, spanId }));
const named = (spans: readonly CollectedSpan[], name: string) =>
  spans.filter((span) => span.name === name);
const askers = async () => {
  const rows = await discovery.db.rows<{ asked_by: readonly string[] }>(
    'SELECT asked_by FROM discovery_work',
  );
  return rows.map(({ asked_by }) => asked_by.length);
};

describe('work on an endpoint', () => {
  it('is linked to the inventory that asked for it, and each patch is a trace of its own', async () => {
    await report();
    expect(await discovery.work()).toEqual([]);
    const patches = await discovery.events('PatchDiscovered');
    const spans = await telemetry.stop();
    const [request] = idsOf(named(spans, 'PUT /v1/endpoints/:id/inventory'));
    const searches = named(spans, 'work candidates');
    expect(searches.map(({ links }) => links)).toMatchObject([[request]]);
    const discovered = named(spans, 'discover patch');
    expect(discovered.map(({ links }) => links)).toMatchObject([idsOf(searches), idsOf(searches)]);
    expect(discovered.map(({ parentSpanId }) => parentSpanId)).toEqual([null, null]);
    expect(new Set(discovered.map(({ traceId }) => traceId)).size).toBe(2);
    const traces = patches.map(({ traceparent }) => traceparent.split('-')[1]);
    expect(traces.toSorted()).toEqual(discovered.map(({ traceId }) => traceId).toSorted());
  });

  it('that follows from a patch is linked to where it was discovered', async () => {
    await report();
    await discovery.work();
    const spans = await telemetry.stop();
    const causes = [...named(spans, 'work candidates'), ...named(spans, 'discover patch')];
    const linked = named(spans, 'work applicability').flatMap(({ links }) => links);
    expect(idsOf(causes).length).toBe(3);
    for (const cause of idsOf(causes))
      expect(linked).toContainEqual(expect.objectContaining(cause));
  });

  it('that fails and is tried again is still linked', async () => {
    await report();
    await discovery.db.run(`UPDATE discovery_work SET attempts = 1, not_before = NULL`);
    await discovery.work();
    const spans = await telemetry.stop();
    const [request] = idsOf(named(spans, 'PUT /v1/endpoints/:id/inventory'));
    expect(named(spans, 'work candidates')[0]?.links).toMatchObject([request]);
  });

  it('remembers the latest of many that asked for it', async () => {
    await report();
    await discovery.work();
    for (let n = 0; n < ASKERS_MAX + 5; n += 1) {
      await inSpan(`asker ${String(n)}`, { kind: 'server', parent: null }, () =>
        workQueue(discovery.db).add('applicability', endpointId),
      );
    }
    expect(await askers()).toEqual([ASKERS_MAX]);
    await discovery.work();
    const spans = await telemetry.stop();
    const last = named(spans, 'work applicability').at(-1);
    const ids = new Map(spans.map(({ spanId, name }) => [spanId, name]));
    const latest = Array.from({ length: ASKERS_MAX }, (_, n) => `asker ${String(n + 5)}`);
    expect(last?.links.map(({ spanId }) => ids.get(spanId))).toEqual(latest);
  });

  it('stores no cause where tracing is off', async () => {
    await telemetry.stop();
    await report();
    expect(await askers()).toEqual([0]);
  });
});
