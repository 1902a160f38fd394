import { describe, expect, it } from '@jest/globals';
import { childTraceparent, newTraceparent, parseInstant, parseTraceparent } from './index.js';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const parent = `00-${traceId}-${spanId}-00`;

describe('traceparent', () => {
  it('falls into its parts', () => {
    expect(parseTraceparent(parent)).toEqual({ traceId, spanId, flags: '00' });
    expect(parseTraceparent(`01-${traceId}-${spanId}-01-more`)?.flags).toBe('01');
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

  it('goes on with a span of its own and the flags of the caller', () => {
    const child = parseTraceparent(childTraceparent(parent));
    expect(child).toMatchObject({ traceId, flags: '00' });
    expect(child?.spanId).not.toBe(spanId);
  });

  it('is new every time', () => {
    expect(parseTraceparent(newTraceparent())).not.toBeNull();
    expect(newTraceparent()).not.toBe(newTraceparent());
  });
});

describe('an instant', () => {
  it.each([
    ['2026-11-21T09:00:00Z', '2026-11-21T09:00:00.000Z'],
    ['2026-11-21t09:00:00.123456z', '2026-11-21T09:00:00.123Z'],
    ['2026-11-21T09:00:00-05:30', '2026-11-21T14:30:00.000Z'],
    ['2028-02-29T00:00:00Z', '2028-02-29T00:00:00.000Z'],
  ])('%s is %s', (text, instant) => {
    expect(parseInstant(text)).toBe(instant);
  });

  it.each([
    '2026-11-21',
    '2026-11-21T09:00:00',
    '2026-11-21 09:00:00Z',
    '2026-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-01T25:00:00Z',
    '2026-01-01T00:00:60Z',
    '2026-01-01T00:00:00+25:00',
  ])('%s is none', (text) => {
    expect(parseInstant(text)).toBeNull();
  });
});
