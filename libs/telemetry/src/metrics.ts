import type { Attributes, BatchObservableCallback, Meter, MetricOptions } from '@opentelemetry/api';

const OBSERVE_MS_MAX = 5_000;

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

/** From half a millisecond to ten seconds. */
const DURATIONS_S = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** Of what takes milliseconds, in seconds. */
export function durations(name: string, description: string): Histogram {
  return histogram(name, { unit: 's', description, buckets: DURATIONS_S });
}

/** Since an instant of `performance.now()`. */
export function secondsSince(startedMs: number): number {
  return (performance.now() - startedMs) / 1_000;
}

/** What was observed, by the name of the gauge. */
export type Observed<Name extends string> = Readonly<Partial<Record<Name, readonly Observation[]>>>;

/**
 * Asks for the values each time that metrics are collected, for five seconds at most, until the
 * function returned is called. Several may share a name, each with attributes of its own. What is
 * not told again keeps its last value, so `patchtrail.gauge.failures` counts when asking fails.
 */
export function gauges<Name extends string>(
  named: Readonly<Record<Name, InstrumentOptions>>,
  observe: () => Promise<Observed<Name>>,
): () => void {
  let forget: () => void = () => undefined;
  const binding: Binding = (meter) => {
    forget();
    forget = meter === null ? () => undefined : observed(meter, named, observe);
  };
  bound(binding);
  return () => {
    bindings.delete(binding);
    forget();
  };
}

function observed<Name extends string>(
  meter: Meter,
  named: Readonly<Record<Name, InstrumentOptions>>,
  observe: () => Promise<Observed<Name>>,
): () => void {
  const instruments = Object.entries<InstrumentOptions>(named).map(([name, options]) => {
    return { name, instrument: meter.createObservableGauge(name, metricOptions(options)) };
  });
  const callback: BatchObservableCallback = async (result) => {
    const told = await within(OBSERVE_MS_MAX, observe()).catch(() => null);
    const values = new Map(Object.entries<readonly Observation[] | undefined>(told ?? {}));
    for (const { name, instrument } of instruments) {
      if (told === null) failures.add(1, { 'patchtrail.gauge.name': name });
      for (const { value, attributes } of values.get(name) ?? []) {
        result.observe(instrument, value, attributes);
      }
    }
  };
  const all = instruments.map(({ instrument }) => instrument);
  meter.addBatchObservableCallback(callback, all);
  return () => {
    meter.removeBatchObservableCallback(callback, all);
  };
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`No answer within ${String(ms)} ms.`));
    }, ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function bound(binding: Binding): void {
  bindings.add(binding);
  binding(current);
}

function metricOptions({ unit, description, buckets }: InstrumentOptions): MetricOptions {
  if (buckets === undefined) return { unit, description };
  return { unit, description, advice: { explicitBucketBoundaries: [...buckets] } };
}
