export { type CollectedSpan, type Collector, startCollector } from './collector.js';
export { printTrace, type TraceNode, traceTree } from './trace-tree.js';
