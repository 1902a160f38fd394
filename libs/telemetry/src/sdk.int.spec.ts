import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startCollector } from './collector/collector.js';
import { telemetryIsOn } from './is-on.js';
import { counter, gauges, histogram, type InstrumentOptions, type Observation } from './metrics.js';
import { startTelemetry, type Telemetry, type TelemetryOptions } from './sdk.js';
import { newTraceparent, parseTraceparent } from './traceparent.js';
import { currentTraceIds, currentTraceparent, inSpan, openSpan } from './tracing.js';

const KIND = { internal: 1, server: 2, producer: 4 };

const caught = counter('spec.caught', { unit: '{fish}', description: 'Fish caught.' });
const weight = histogram('spec.weight', { unit: 'g', description: 'Each.', buckets: [10, 100] });

let collector: Awaited<ReturnType<typeof startCollector>>;
let telemetry: Telemetry | null;
beforeEach(async () => {
  collector = await startCollector();
});
afterEach(async () => {
  await telemetry?.stop();
  await collector.close();
});

async function start(change: Partial<TelemetryOptions> = {}): Promise<Telemetry> {
  telemetry = await startTelemetry({
    serviceName: 'spec',
    instanceId: '1',
    otlpEndpoint: collector.url,
    sampleRatio: 1,
    prometheus: null,
    ...change,
  });
  return telemetry;
}

function gauge(
  name: string,
  options: InstrumentOptions,
  observe: () => Promise<readonly Observation[]>,
) {
  return gauges({ [name]: options }, async () => ({ [name]: await observe() }));
}

function spanNamed(name: string) {
  const span = collector.spans().find((one) => one.name === name);
  if (span === undefined) throw new Error(`No span ${name} has arrived.`);
  return span;
}

function idsIn(traceparent: string) {
  const parsed = parseTraceparent(traceparent);
  return { traceId: parsed?.traceId, spanId: parsed?.spanId };
}

describe('traces', () => {
  it('nest, go on from a remote parent, and link to what came earlier', async () => {
    const running = await start();
    const [remote, earlier] = [newTraceparent(), newTraceparent()];
    const inner = await inSpan('outer', { kind: 'server', parent: remote }, () =>
      inSpan('inner', { kind: 'producer', links: [earlier, 'malformed'] }, async () => {
        await Promise.resolve();
        return currentTraceparent();
      }),
    );
    await inSpan('alone', { kind: 'internal', parent: null }, () => Promise.resolve());
    await running.stop();
    const [outer, child, alone] = ['outer', 'inner', 'alone'].map(spanNamed);
    const { traceId, spanId: parentSpanId } = idsIn(remote);
    expect(collector.spans()).toHaveLength(3);
    expect(outer).toMatchObject({ kind: KIND.server, traceId, parentSpanId });
    expect(child).toMatchObject({ kind: KIND.producer, traceId, parentSpanId: outer!.spanId });
    expect(idsIn(inner!).spanId).toBe(child!.spanId);
    expect(child!.links).toMatchObject([idsIn(earlier)]);
    expect(alone!.traceId).not.toBe(traceId);
    expect(alone!.parentSpanId).toBeNull();
  });

  it('tell a failure by its class, and pass it on', async () => {
    const running = await start();
    const failing = inSpan('fails', { kind: 'internal' }, () =>
      Promise.reject(new RangeError('a secret')),
    );
    await expect(failing).rejects.toThrow('a secret');
    await running.stop();
    const [span] = collector.spans();
    expect(span?.failure).toBe('RangeError');
    expect(span?.attributes.get('error.type')).toBe('RangeError');
    expect(JSON.stringify([span, ...span!.attributes])).not.toContain('a secret');
  });

  it('hold spans that end elsewhere', async () => {
    const running = await start();
    const span = openSpan('request', { kind: 'server', parent: null })!;
    expect(span.within(() => currentTraceparent())).toBe(span.traceparent);
    expect(span.within(() => currentTraceIds())).toEqual(idsIn(span.traceparent));
    span.end({ failure: null, name: 'GET /v1/patches' });
    await running.stop();
    expect(collector.spans().map(({ name }) => name)).toEqual(['GET /v1/patches']);
  });

  it('cost nothing while they are off: no span, no context', async () => {
    expect(openSpan('request', { kind: 'server' })).toBeNull();
    expect(telemetryIsOn()).toBe(false);
    const seen = await inSpan('work', { kind: 'internal' }, () =>
      Promise.resolve([currentTraceparent(), currentTraceIds()]),
    );
    expect(seen).toEqual([null, null]);
    const running = await start();
    expect(telemetryIsOn()).toBe(true);
    await running.stop();
    expect(telemetryIsOn()).toBe(false);
    expect(openSpan('request', { kind: 'server' })).toBeNull();
  });

  it('are sampled at their root', async () => {
    const running = await start({ sampleRatio: 0 });
    await inSpan('root', { kind: 'internal', parent: null }, () => Promise.resolve());
    const sampled = newTraceparent();
    await inSpan('child', { kind: 'internal', parent: sampled }, () => Promise.resolve());
    const unsampled = sampled.replace(/01$/, '00');
    const [links, alone] = [[unsampled, newTraceparent()], [unsampled]];
    await inSpan('linked', { kind: 'internal', parent: null, links }, () => Promise.resolve());
    await inSpan('left', { kind: 'internal', parent: null, links: alone }, () => Promise.resolve());
    await running.stop();
    expect(collector.spans().map(({ name }) => name)).toEqual(['child', 'linked']);
  });
});

describe('metrics', () => {
  it('answer at /metrics, and only there, from instruments made before', async () => {
    let asked = 0;
    const forget = gauge('spec.lag', { unit: '{message}', description: 'Behind.' }, () => {
      asked += 1;
      return Promise.resolve([{ value: 7, attributes: { group: 'a' } }]);
    });
    const forgetBroken = gauge('spec.broken', { unit: '1', description: 'Fails.' }, () =>
      Promise.reject(new Error('down')),
    );
    const running = await start({
      otlpEndpoint: null,
      prometheus: { host: '127.0.0.1', port: 0 },
    });
    const metricsUrl = running.metricsUrl!;
    caught.add(2, { kind: 'trout' });
    weight.record(50);
    const scraped = await fetch(metricsUrl);
    const text = await scraped.text();
    expect(scraped.status).toBe(200);
    expect(text).toMatch(/spec_caught_total\{.*kind="trout".*\} 2/);
    expect(text).toMatch(/spec_weight_bucket\{.*le="10".*\} 0/);
    expect(text).toMatch(/spec_weight_bucket\{.*le="100".*\} 1/);
    expect(text).toMatch(/spec_lag\{.*group="a".*\} 7/);
    expect(text).not.toContain('spec_broken{');
    expect((await fetch(metricsUrl.replace('/metrics', '/'))).status).toBe(404);
    forget();
    forgetBroken();
    expect(asked).toBe(1);
    const again = await (await fetch(metricsUrl)).text();
    expect(asked).toBe(1);
    expect(again).toMatch(/gauge_failures_total\{.*gauge_name="spec.broken".*\} 1/);
  });

  it('come from every gauge of a name', async () => {
    const option = { unit: 's', description: 'Behind.' };
    const of = (group: string, value: number) =>
      gauge('spec.shared', option, () => Promise.resolve([{ value, attributes: { group } }]));
    const early = of('early', 1);
    const running = await start({ otlpEndpoint: null, prometheus: { host: '127.0.0.1', port: 0 } });
    const late = of('late', 2);
    const scrape = async () => (await fetch(running.metricsUrl!)).text();
    const both = await scrape();
    expect(both).toMatch(/spec_shared\{.*group="early".*\} 1/);
    expect(both).toMatch(/spec_shared\{.*group="late".*\} 2/);
    early();
    late();
  });

  it('are sent to the collector at the latest when they stop', async () => {
    const running = await start();
    caught.add(3, { kind: 'pike' });
    await running.stop();
    expect(collector.metrics()).toContain('pike');
    caught.add(1, { kind: 'ghost' });
    expect(collector.metrics()).not.toContain('ghost');
  });
});
