import type { CollectedSpan } from './collector.js';

/** A span with all that followed from it: its children, and the spans that link to it. */
export type TraceNode = Readonly<{
  span: CollectedSpan;
  /** Whether it hangs below the one above by a link. */
  isLinked: boolean;
  next: readonly TraceNode[];
}>;

/**
 * What followed from a span over all traces, in the order of time. A span with several causes
 * stands once, below the one that is met first.
 */
export function traceTree(spans: readonly CollectedSpan[], root: CollectedSpan): TraceNode {
  const followers = followersOf(spans);
  const met = new Set([keyOf(root)]);
  const nodeOf = (span: CollectedSpan, isLinked: boolean): TraceNode => {
    const fresh = (followers.get(keyOf(span)) ?? []).filter(({ span: one }) => {
      const isFirst = !met.has(keyOf(one));
      met.add(keyOf(one));
      return isFirst;
    });
    fresh.sort((a, b) => a.span.startMs - b.span.startMs);
    return { span, isLinked, next: fresh.map((one) => nodeOf(one.span, one.isLinked)) };
  };
  return nodeOf(root, false);
}

/** The tree as lines of text: `├─` before a child, `├▷` before what links to the span above. */
export function printTrace(
  root: TraceNode,
  describe: (span: CollectedSpan) => string,
): readonly string[] {
  const below = ({ next }: TraceNode, indent: string): readonly string[] =>
    next.flatMap((node, at) => {
      const isLast = at === next.length - 1;
      const branch = `${isLast ? '└' : '├'}${node.isLinked ? '▷' : '─'} `;
      const line = `${indent}${branch}${describe(node.span)}`;
      return [line, ...below(node, `${indent}${isLast ? '   ' : '│  '}`)];
    });
  return [describe(root.span), ...below(root, '')];
}

type Follower = Readonly<{ span: CollectedSpan; isLinked: boolean }>;

function followersOf(spans: readonly CollectedSpan[]): ReadonlyMap<string, readonly Follower[]> {
  const followers = new Map<string, Follower[]>();
  const add = (key: string, follower: Follower) => {
    const known = followers.get(key);
    if (known === undefined) followers.set(key, [follower]);
    else known.push(follower);
  };
  for (const span of spans) {
    const { traceId, parentSpanId } = span;
    if (parentSpanId !== null) {
      add(keyOf({ traceId, spanId: parentSpanId }), { span, isLinked: false });
    }
    for (const link of span.links) add(keyOf(link), { span, isLinked: true });
  }
  return followers;
}

function keyOf({ traceId, spanId }: Readonly<{ traceId: string; spanId: string }>): string {
  return `${traceId}/${spanId}`;
}
