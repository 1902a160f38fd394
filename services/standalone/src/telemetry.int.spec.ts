import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CollectedSpan,
  type Collector,
  printTrace,
  sampleOf,
  startCollector,
  type TraceNode,
  traceTree,
} from '@patchtrail/telemetry/collector';
import { eventually } from '@patchtrail/testing';
import { readFile } from 'node:fs/promises';
import type { Product } from './product.suite.js';
import {
  approve,
  type Machine,
  missedPatches,
  openWorld,
  requestRollout,
  untilRollout,
  type World,
} from './rollouts.suite.js';

const GROUP = 'traced';
const DECISION = 'POST /v1/approval-requests/:id/decisions';

let collector: Collector;
let world: World;
let product: Product;
let machines: readonly Machine[];
let rolloutId: string;
beforeAll(async () => {
  collector = await startCollector();
  world = await openWorld({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    PATCHTRAIL_METRICS_PORT: '0',
  });
  product = await world.start();
  const people = await world.people(product);
  machines = await world.enrol(product, GROUP, ['pilot', 'broad']);
  const patchIds = await missedPatches(people, machines);
  const requestId = await requestRollout(people, GROUP, patchIds, 500);
  await approve(people, requestId);
  ({ rolloutId } = await untilRollout(people, requestId, ({ status }) => status === 'completed'));
}, 180_000);
afterAll(async () => {
  await world.endAll();
  await world.close();
  await collector.close();
});

/** What followed from the vote that settled the request. */
function afterTheVote(): TraceNode {
  const spans = collector.spans();
  const vote = spans.filter(({ name }) => name === DECISION).at(-1);
  if (vote === undefined) throw new Error('The vote has not arrived.');
  return traceTree(spans, vote);
}

function printed(): string {
  return printTrace(afterTheVote(), ({ name }) => name).join('\n');
}

function all({ span, next }: TraceNode): readonly CollectedSpan[] {
  return [span, ...next.flatMap(all)];
}

/** One that was sent with others has been created first, which is another trace. */
const sent = (topic: string) => `send ${topic}|create ${topic}`;
const isCreated = ({ span }: TraceNode) => span.name.startsWith('create ');

/** The spans from the root down to a node that has all of these in between, by one of its names. */
function chain(node: TraceNode, names: readonly string[]): readonly TraceNode[] | null {
  const [name, ...rest] = names;
  if (name === undefined) return [];
  for (const one of node.next.filter(({ span }) => name.split('|').includes(span.name))) {
    const below = chain(one, rest);
    if (below !== null) return [one, ...below];
  }
  return null;
}

describe('one patch', () => {
  it('is one linked trace from a vote over REST to the last consumer', async () => {
    const chainOf = (...names: readonly string[]) =>
      eventually(() => {
        const found = chain(afterTheVote(), names);
        if (found === null) throw new Error(`No ${names.join(' > ')} in\n${printed()}`);
        return Promise.resolve(found);
      });
    const toDeployment = [
      ...['handle approvalRequest', 'react approval.publish', sent('approval.requests.v1')],
      ...['process approval.requests.v1', 'handle rollout'],
    ];
    const appended = await chainOf(...toDeployment, 'append rollout');
    expect(appended.map(({ isLinked }) => isLinked)).toEqual([
      ...[false, true, appended.some(isCreated), true, false],
      false,
    ]);
    const reported = await chainOf(
      ...toDeployment,
      ...['react deployment.publish', sent('deployment.rollouts.v1')],
      'process deployment.rollouts.v1',
    );
    const consumer = reported.at(-1)?.span.attributes;
    expect(consumer?.get('messaging.consumer.group.name')).toBe('reporting.trail');
    const handled = reported[4]?.span.attributes;
    expect(handled?.get('patchtrail.stream.name')).toBe(`rollout-${rolloutId}`);
    // Each link leaves a trace: the vote, publishing, deployment, publishing, reporting.
    const traces = new Set(reported.map(({ span }) => span.traceId));
    expect(traces.size).toBe(5 + reported.filter(isCreated).length);
  });

  it('goes on through leases, reports and timers of its rollout to the last outcome', async () => {
    await eventually(() => {
      const names = all(afterTheVote()).map(({ name }) => name);
      const wanted = [
        ...['react deployment.driver', 'handle rolloutWave', 'append rolloutWave'],
        ...['elapse rollout', 'send deployment.outcomes.v1', 'process deployment.outcomes.v1'],
        ...['project approval.read-models', 'project deployment.read-models'],
      ];
      expect(names).toEqual(expect.arrayContaining(wanted));
      const commands = all(afterTheVote()).map(({ attributes }) =>
        attributes.get('patchtrail.command.type'),
      );
      expect(commands).toEqual(expect.arrayContaining(['IssueLease', 'ConfirmLease']));
      return Promise.resolve();
    });
  });

  it('follows a timer to the command that scheduled it', () => {
    const spans = collector.spans();
    const bake = spans.find(
      ({ attributes }) => attributes.get('patchtrail.timer.purpose') === 'bake',
    );
    const cause = spans.find(({ spanId }) => spanId === bake?.links[0]?.spanId);
    expect(cause?.name).toBe('handle rollout');
    expect(cause?.traceId).not.toBe(bake?.traceId);
    expect(all(traceTree(spans, bake!)).map(({ name }) => name)).toContain('append rollout');
  });

  it('begins at the request: services of rows pass on the context of who wrote the row', async () => {
    await eventually(() => {
      const spans = collector.spans();
      const inventories = spans.filter(({ name }) => name === 'PUT /v1/endpoints/:id/inventory');
      const followed = inventories.flatMap((one) => all(traceTree(spans, one)));
      const wanted = [
        ...['create discovery.endpoints.v1', 'process discovery.endpoints.v1'],
        ...['work candidates', 'discover patch', 'process discovery.patches.v1'],
        'work applicability',
      ];
      expect(followed.map(({ name }) => name)).toEqual(expect.arrayContaining(wanted));
    });
  });
});

describe('/metrics of a running product', () => {
  const scrape = async () => {
    const line = await product.script.line(/Metrics: /);
    return (await fetch(/http\S+/.exec(line)?.[0] ?? '')).text();
  };

  it.each([
    ['http.server.request.duration.count', {}, 20],
    ['db.client.operation.duration.count', { 'db.collection.name': 'rollout' }, 3],
    ['db.client.operation.duration.count', { 'db.collection.name': 'approvalRequest' }, 3],
    ['patchtrail.append.group.size.count', {}, 5],
    ['patchtrail.command.duration.count', { 'patchtrail.command.result': 'appended' }, 5],
    [
      'patchtrail.reaction.duration.count',
      { 'patchtrail.subscription.name': 'deployment.driver' },
      3,
    ],
    ['patchtrail.projection.duration.count', {}, 2],
    ['patchtrail.timer.lateness.count', { 'patchtrail.timer.purpose': 'bake' }, 1],
    ['messaging.client.sent.messages.total', {}, 10],
    ['messaging.client.operation.duration.count', { 'messaging.operation.name': 'send' }, 5],
    ['messaging.client.consumed.messages.total', {}, 10],
    ['messaging.process.duration.count', { 'messaging.consumer.group.name': 'reporting.trail' }, 5],
  ])('counts %s of %j', async (name, attributes, atLeast) => {
    expect(sampleOf(await scrape(), name, attributes)).toBeGreaterThanOrEqual(atLeast);
  });

  it('measures in seconds', async () => {
    const text = await scrape();
    for (const name of ['db.client.operation.duration', 'http.server.request.duration']) {
      const sum = sampleOf(text, `${name}.sum`) ?? NaN;
      const mean = sum / (sampleOf(text, `${name}.count`) ?? NaN);
      expect(mean).toBeGreaterThan(0.000_1);
      expect(mean).toBeLessThan(10);
    }
  });

  it('shows that nothing is behind and nothing is parked once all is done', async () => {
    const still = [
      ...['patchtrail.subscription.lag.events', 'patchtrail.subscription.lag.age'],
      ...['patchtrail.outbox.lag.messages', 'patchtrail.outbox.lag.age', 'patchtrail.consumer.lag'],
      ...['patchtrail.parked.keys', 'patchtrail.timer.overdue'],
    ];
    await Promise.all(machines.map(({ agent }) => agent.kill('SIGTERM')));
    const failures = (text: string) => sampleOf(text, 'patchtrail.gauge.failures.total') ?? 0;
    await eventually(
      async () => {
        const [before, text] = [await scrape(), await scrape()];
        expect(still.map((name) => [name, sampleOf(text, name)])).toEqual(
          still.map((name) => [name, 0]),
        );
        expect(failures(text)).toBe(failures(before));
      },
      { everyMs: 200 },
    );
  });

  it('has no id in a label, and names nothing that is not documented', async () => {
    const text = await scrape();
    const ofProduct = text.replaceAll(/^target_info.*$/gm, '');
    expect(ofProduct).not.toMatch(/="[^"]*[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-/);
    const documented = await readFile(
      new URL('../../../docs/telemetry.md', import.meta.url),
      'utf8',
    );
    const known = [...documented.matchAll(/^\| `([a-z._]+)`/gm)].map(([, name = '']) =>
      name.replaceAll('.', '_'),
    );
    const shown = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = '']) =>
      name.replace(/_total$/, ''),
    );
    const undocumented = shown.filter((name) => name !== 'target_info' && !known.includes(name));
    expect(undocumented).toEqual([]);
    expect(shown.length).toBeGreaterThan(15);
  });
});
