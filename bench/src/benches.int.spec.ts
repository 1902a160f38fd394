import { expect, it } from '@jest/globals';
import { lane } from '@patchtrail/testing/lane';
import { benches } from './benches.js';
import { tableOf } from './table.js';

for (const [name, { run, missing }] of Object.entries(benches)) {
  lane(`the benchmark ${name}`, (await missing?.()) ?? null, () => {
    it('runs small, and says what it measured against what', async () => {
      const result = await run({ events: 500, rounds: 1, sliceMs: 20 });
      expect(result).toMatchObject({ name });
      expect(result.ours).toBeGreaterThan(0);
      expect(result.limit).toBeGreaterThan(0);
      expect(result.ratio).toBeCloseTo(result.ours / result.limit, 1);
      const text = tableOf(result);
      expect(text.split('\n')[0]).toContain(`${name}: ${result.ours.toLocaleString('en')}`);
      expect(text).toMatch(/postgres +1[0-9]/);
      expect(JSON.parse(JSON.stringify(result))).toEqual(result);
    }, 480_000);
  });
}
