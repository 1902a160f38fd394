import type { Attributes, Meter, MetricOptions } from '@opentelemetry/api';

/** Shapes as OpenTelemetry has them; unit in UCUM, such as `ms`, `By`, `{event}`. */
export type InstrumentOptions = Readonly<{
  unit: string;
  description: string;
  /** Upper bounds of a histogram's buckets. */
  buckets?: readonly number[];
}>;

export type Counter = Readonly<{ add: (value: number, attributes?: Attributes) => void }>;
export type Histogram = Readonly<{ record: (value: number, attributes?: Attributes) => void }>;
export type Observation = Readonly<{ value: number; attributes?: Attributes }>;

/** Instruments exist before and without a meter; they measure only while there is one. */
type Binding = (meter: Meter | null) => void;

const bindings = new Set<Binding>();
let current: Meter | null = null;

/** Only for whoever registers a meter provider; `null` takes the meter away. */
export function switchMeter(meter: Meter | null): void {
  current = meter;
  for (const bind of bindings) bind(meter);
}

export function isMeasuring(): boolean {
  return current !== null;
}

export function counter(name: string, options: InstrumentOptions): Counter {
  let instrument: Counter | null = null;
  bound((meter) => {
    instrument = meter?.createCounter(name, metricOptions(options)) ?? null;
  });
  return { add: (value, attributes) => instrument?.add(value, attributes) };
}

const failures = counter('patchtrail.gauge.failures', {
  unit: '{failure}',
  description: 'Gauges whose value could not be asked for, and so stands still.',
});

export function histogram(name: string, options: InstrumentOptions): Histogram {
  let instrument: Histogram | null = null;
  bound((meter) => {
    instrument = meter?.createHistogram(name, metricOptions(options)) ?? null;
  });
  return { record: (value, attributes) => instrument?.record(value, attributes) };
}

/**
 * Asks for the values each time that metrics are collected, until the function returned is called.
 * Several may share a name, each with attributes of its own. What is not told again keeps its last
 * value, so that asking that fails is told by `patchtrail.gauge.failures`.
 */
export function gauge(
  name: string,
  options: InstrumentOptions,
  observe: () => Promise<readonly Observation[]>,
): () => void {
  let forget: () => void = () => undefined;
  const binding: Binding = (meter) => {
    forget();
    forget = meter === null ? () => undefined : observed(meter, name, options, observe);
  };
  bound(binding);
  return () => {
    bindings.delete(binding);
    forget();
  };
}

function observed(
  meter: Meter,
  name: string,
  options: InstrumentOptions,
  observe: () => Promise<readonly Observation[]>,
): () => void {
  const instrument = meter.createObservableGauge(name, metricOptions(options));
  const callback: Parameters<typeof instrument.addCallback>[0] = async (result) => {
    const observations = await observe().catch(() => {
      failures.add(1, { 'patchtrail.gauge.name': name });
      return [];
    });
    for (const { value, attributes } of observations) result.observe(value, attributes);
  };
  instrument.addCallback(callback);
  return () => {
    instrument.removeCallback(callback);
  };
}

function bound(binding: Binding): void {
  bindings.add(binding);
  binding(current);
}

function metricOptions({ unit, description, buckets }: InstrumentOptions): MetricOptions {
  if (buckets === undefined) return { unit, description };
  return { unit, description, advice: { explicitBucketBoundaries: [...buckets] } };
}
