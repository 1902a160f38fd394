const gate = { successPercentMin: 100, failuresMax: 0 };
const cap = { unit: 'endpoints', value: 4 };

/** Staging, a pilot of both hardware classes, then everyone; the bake times are a demo's. */
export const demoPlan = {
  name: 'Demo rings',
  rings: [
    {
      name: 'staging',
      selector: { attributes: { 'labels.ring': 'staging' } },
      ...{ cap, gate, bakeMs: 1_000, deadlineMs: 600_000 },
    },
    {
      name: 'pilot',
      selector: { attributes: { 'labels.ring': 'pilot' } },
      ...{ cap, gate, bakeMs: 2_000, deadlineMs: 600_000 },
    },
    { name: 'broad', selector: {}, cap, gate, bakeMs: 1_000, deadlineMs: 600_000 },
  ],
  leaseMs: 300_000,
  retry: { attemptsMax: 2, backoffMs: 1_000 },
  rollback: 'automatic',
};
