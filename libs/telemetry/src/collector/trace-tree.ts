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
 * stands once: below its parent if that is there, else below the first that it links to.
 */
export function traceTree(spans: readonly CollectedSpan[], root: CollectedSpan): TraceNode {
  const below = new Map<string, Follower[]>();
  const reached = reachedFrom(root, followersOf(spans));
  for (const { span, cause } of reached.values()) {
    const parent = parentKeyOf(span);
    const isLinked = parent === null || !reached.has(parent);
    listIn(below, isLinked ? cause : parent).push({ span, isLinked });
  }
  const met = new Set<string>();
  const nodeOf = ({ span, isLinked }: Follower): TraceNode => {
    const key = keyOf(span);
    const fresh = met.has(key) ? [] : (below.get(key) ?? []);
    met.add(key);
    const next = fresh.toSorted((a, b) => a.span.startMs - b.span.startMs).map(nodeOf);
    return { span, isLinked, next };
  };
  return nodeOf({ span: root, isLinked: false });
}

type Reached = Readonly<{ span: CollectedSpan; cause: string }>;

/** All that followed, by its key, each with the cause that it was first reached by. */
function reachedFrom(
  root: CollectedSpan,
  followers: ReadonlyMap<string, readonly Follower[]>,
): ReadonlyMap<string, Reached> {
  const reached = new Map<string, Reached>([[keyOf(root), { span: root, cause: '' }]]);
  // A map is walked on to what is added meanwhile: the nearest first.
  for (const cause of reached.keys()) {
    for (const { span } of followers.get(cause) ?? []) {
      const key = keyOf(span);
      if (!reached.has(key)) reached.set(key, { span, cause });
    }
  }
  return reached;
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
  for (const span of spans) {
    const parent = parentKeyOf(span);
    if (parent !== null) listIn(followers, parent).push({ span, isLinked: false });
    for (const link of span.links) listIn(followers, keyOf(link)).push({ span, isLinked: true });
  }
  return followers;
}

function listIn<T>(lists: Map<string, T[]>, key: string): T[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}

function parentKeyOf({ traceId, parentSpanId }: CollectedSpan): string | null {
  return parentSpanId === null ? null : keyOf({ traceId, spanId: parentSpanId });
}

function keyOf({ traceId, spanId }: Readonly<{ traceId: string; spanId: string }>): string {
  return `${traceId}/${spanId}`;
}
