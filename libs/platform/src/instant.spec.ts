import { describe, expect, it } from '@jest/globals';
import { parseInstant } from './index.js';

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
