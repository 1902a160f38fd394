export { telemetryIsOn } from './is-on.js';
export {
  counter,
  type Counter,
  durations,
  gauges,
  histogram,
  type Histogram,
  type InstrumentOptions,
  type Observation,
  type Observed,
  secondsSince,
} from './metrics.js';
export {
  childTraceparent,
  newTraceparent,
  parseTraceparent,
  type TraceContext,
  traceIdOf,
} from './traceparent.js';
export {
  currentTraceIds,
  currentTraceparent,
  inSpan,
  openSpan,
  type OpenSpan,
  type SpanOptions,
} from './tracing.js';
