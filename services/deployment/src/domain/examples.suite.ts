import type { Plan, Ring } from './plan.js';

export const AT = '2026-11-21T09:00:00.000Z';

export function ring(name: string, change: Partial<Ring> = {}): Ring {
  return {
    name,
    selector: { attributes: { 'labels.ring': name } },
    cap: { unit: 'endpoints', value: 2 },
    gate: { successPercentMin: 100, failuresMax: 0 },
    bakeMs: 60_000,
    deadlineMs: 3_600_000,
    ...change,
  };
}

export function planOf(rings: Ring[], change: Partial<Plan> = {}): Plan {
  return {
    templateId: '00000000-0000-4000-8000-0000000000aa',
    templateRevision: 1,
    name: 'plan',
    rings,
    leaseMs: 600_000,
    retry: { attemptsMax: 2, backoffMs: 30_000 },
    rollback: 'automatic',
    ...change,
  };
}
