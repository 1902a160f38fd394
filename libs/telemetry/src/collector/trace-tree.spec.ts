import { describe, expect, it } from '@jest/globals';
import type { CollectedSpan } from './collector.js';
import { printTrace, traceTree } from './trace-tree.js';

const TRACE = 'a';

function span(spanId: string, more: Partial<CollectedSpan> = {}): CollectedSpan {
  return {
    ...{ traceId: TRACE, spanId, parentSpanId: null, name: spanId, kind: 1 },
    ...{ startMs: 0, durationMs: 1, attributes: new Map(), links: [], failure: null },
    ...more,
  };
}

function printed(spans: readonly CollectedSpan[], root: CollectedSpan): readonly string[] {
  return printTrace(traceTree(spans, root), ({ name }) => name);
}

describe('the tree of a trace', () => {
  const root = span('request');

  it('follows parents within a trace and links between traces, in the order of time', () => {
    const links = [{ traceId: TRACE, spanId: 'handle' }];
    const spans = [
      span('react', { traceId: 'b', links, startMs: 9 }),
      span('send', { traceId: 'b', parentSpanId: 'react' }),
      span('append', { parentSpanId: 'handle', startMs: 5 }),
      span('handle', { parentSpanId: 'request' }),
      span('log', { parentSpanId: 'request', startMs: 7 }),
      root,
      span('alone'),
    ];
    expect(printed(spans, root)).toEqual([
      'request',
      '├─ handle',
      '│  ├─ append',
      '│  └▷ react',
      '│     └─ send',
      '└─ log',
    ]);
  });

  it('takes no span of another trace for a child', () => {
    const stranger = span('stranger', { traceId: 'b', parentSpanId: 'request' });
    expect(printed([root, stranger], root)).toEqual(['request']);
  });

  it('puts a span below its parent, wherever else it links to', () => {
    const links = [{ traceId: TRACE, spanId: 'request' }];
    const spans = [
      root,
      span('child', { parentSpanId: 'between', links }),
      span('between', { parentSpanId: 'request' }),
      span('visit', { traceId: 'b', parentSpanId: 'elsewhere', links, startMs: 1 }),
    ];
    expect(printed(spans, root)).toEqual(['request', '├─ between', '│  └─ child', '└▷ visit']);
  });

  it('shows a span with several causes once, and ends where links go round', () => {
    const one = { traceId: TRACE, spanId: 'one' };
    const spans = [
      root,
      span('one', { parentSpanId: 'request', links: [{ traceId: TRACE, spanId: 'both' }] }),
      span('two', { parentSpanId: 'request', startMs: 1 }),
      span('both', { links: [one, { traceId: TRACE, spanId: 'two' }], startMs: 2 }),
    ];
    expect(printed(spans, root)).toEqual(['request', '├─ one', '│  └▷ both', '└─ two']);
  });
});
