import { type CollectedSpan, printTrace, traceTree } from '@patchtrail/telemetry/collector';

const VOTE = 'POST /v1/approval-requests/:id/decisions';

/** Attributes that tell spans of one name apart, for people. */
const TOLD = [
  'patchtrail.command.type',
  'patchtrail.event.type',
  'patchtrail.timer.purpose',
  'messaging.consumer.group.name',
  'messaging.batch.message_count',
] as const;

/** What followed from the vote that most followed from, over all services, as a tree. */
export function printVote(spans: readonly CollectedSpan[]): readonly string[] {
  const trees = spans
    .filter(({ name }) => name === VOTE)
    .toSorted((a, b) => a.startMs - b.startMs)
    .map((vote) => printTrace(traceTree(spans, vote), describe));
  return trees.reduce((longest, tree) => (tree.length > longest.length ? tree : longest), []);
}

function describe({ name, attributes, durationMs, failure }: CollectedSpan): string {
  const told = TOLD.flatMap((key) => attributes.get(key) ?? []);
  const parts = [name, ...told, `${durationMs.toFixed(1)} ms`];
  return [...parts, ...(failure === null ? [] : [`failed: ${failure}`])].join('  ');
}
