import { describe, expect, it } from '@jest/globals';
import { benches } from './benches.js';
import { tableOf } from './table.js';

describe('every benchmark', () => {
  it.each(Object.entries(benches))(
    '%s runs small, and says what it measured against what',
    async (name, { run }) => {
      const result = await run({ events: 500, rounds: 1, sliceMs: 20 });
      expect(result).toMatchObject({ name });
      expect(result.ours).toBeGreaterThan(0);
      expect(result.limit).toBeGreaterThan(0);
      expect(result.ratio).toBeCloseTo(result.ours / result.limit, 1);
      const text = tableOf(result);
      expect(text.split('\n')[0]).toContain(`${name}: ${result.ours.toLocaleString('en')}`);
      expect(text).toContain('postgres 1');
      expect(JSON.parse(JSON.stringify(result))).toEqual(result);
    },
    120_000,
  );
});
