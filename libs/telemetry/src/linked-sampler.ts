import {
  type Attributes,
  type Context,
  type Link,
  type SpanKind,
  TraceFlags,
} from '@opentelemetry/api';
import {
  type Sampler,
  SamplingDecision,
  type SamplingResult,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';

/**
 * For the first span of a trace. One that links to earlier traces is recorded if one of them was:
 * otherwise a chain of traces would break at each of its links by chance. The others by chance.
 */
export function linkedSampler(ratio: number): Sampler {
  const byChance = new TraceIdRatioBasedSampler(ratio);
  return {
    shouldSample: (
      context: Context,
      traceId: string,
      _name: string,
      _kind: SpanKind,
      _attributes: Attributes,
      links: Link[],
    ): SamplingResult =>
      links.length === 0
        ? byChance.shouldSample(context, traceId)
        : { decision: decisionOn(links) },
    toString: () => `Linked{${byChance.toString()}}`,
  };
}

function decisionOn(links: readonly Link[]): SamplingDecision {
  const isRecorded = links.some(({ context }) => (context.traceFlags & TraceFlags.SAMPLED) !== 0);
  return isRecorded ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD;
}
