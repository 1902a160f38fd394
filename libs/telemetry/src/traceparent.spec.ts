import { describe, expect, it } from '@jest/globals';
import { childTraceparent, newTraceparent, parseTraceparent } from './traceparent.js';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const parent = `00-${traceId}-${spanId}-00`;

describe('traceparent', () => {
  it('falls into its parts', () => {
    expect(parseTraceparent(parent)).toEqual({ traceId, spanId, traceFlags: 0 });
    expect(parseTraceparent(`01-${traceId}-${spanId}-01-more`)?.traceFlags).toBe(1);
  });

  it.each([
    '',
    parent.toUpperCase(),
    `ff-${traceId}-${spanId}-01`,
    `00-${traceId}-${spanId}-01-more`,
    `01-${traceId}-${spanId}-01${'-m'.repeat(120)}`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId}-${spanId}`,
  ])('is ignored when it is %s', (text) => {
    expect(parseTraceparent(text)).toBeNull();
    expect(childTraceparent(text)).not.toContain(traceId);
  });

  it.each([undefined, null, 7, ['x']])('is ignored when it is no text: %j', (value) => {
    expect(parseTraceparent(value)).toBeNull();
  });

  it('goes on with a span of its own and the flags of the caller', () => {
    const child = parseTraceparent(childTraceparent(parent));
    expect(child).toMatchObject({ traceId, traceFlags: 0 });
    expect(child?.spanId).not.toBe(spanId);
  });

  it('is new every time', () => {
    expect(parseTraceparent(newTraceparent())).not.toBeNull();
    expect(newTraceparent()).not.toBe(newTraceparent());
  });
});
