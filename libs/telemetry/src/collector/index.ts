export { collectOwn, type OwnTelemetry } from './collect-own.js';
export { type CollectedSpan, type Collector, startCollector } from './collector.js';
export { sampleOf } from './samples.js';
export { printTrace, type TraceNode, traceTree } from './trace-tree.js';
