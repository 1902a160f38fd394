import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BOD_26_04 } from './bod-26-04.js';
import { possibleRows } from './policy-pack.js';
import { type AssetContext, type KevKnowledge, type PatchFacts, prioritize } from './prioritize.js';

const patch: PatchFacts = {
  patchId: 'p',
  revision: 1,
  securityOrigin: true,
  cves: ['CVE-2026-0001'],
  cvesKnown: true,
  sourceId: 's',
  discoveredAt: '2026-11-01T00:00:00.000Z',
};
const hidden: AssetContext = { exposure: 'none', businessImpact: 'moderate' };
const exposed: AssetContext = { exposure: 'public', businessImpact: 'moderate' };
const noCatalog: KevKnowledge = { catalog: null, listed: [] };
const catalog = { version: '2026.11.20', releasedAt: '2026-11-20T15:00:00.000Z' };
const notListed: KevKnowledge = { catalog, listed: [] };
const listed: KevKnowledge = {
  catalog,
  listed: [{ cveId: 'CVE-2026-0001', dateAdded: '2026-11-10' }],
};
const decide = (p: Partial<PatchFacts>, context: AssetContext, kev: KevKnowledge) =>
  prioritize(BOD_26_04, { ...patch, ...p }, context, kev);

describe('CISA BOD 26-04 as data', () => {
  it('has exactly one row for each of the 16 combinations', () => {
    expect(BOD_26_04.rows.map(({ row }) => row)).toEqual(Array.from({ length: 16 }, (_, i) => i));
    fc.assert(
      fc.property(fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean(), (a, b, c, d) => {
        const signals = { inKev: a, publiclyExposed: b, automatable: c, technicalImpactTotal: d };
        expect(possibleRows(BOD_26_04, signals)).toHaveLength(1);
      }),
    );
  });

  it('distributes its deadlines as published: 5 × 3, 6 × 14, 3 × 60 days, 2 × at upgrade', () => {
    const count = (days: number | null) => BOD_26_04.rows.filter((r) => r.days === days).length;
    expect([count(3), count(14), count(60), count(null)]).toEqual([5, 6, 3, 2]);
  });

  it('leaves only rows possible that no known signal contradicts', () => {
    const answer = fc.constantFrom(true, false, null);
    fc.assert(
      fc.property(answer, answer, answer, answer, (a, b, c, d) => {
        const signals = { inKev: a, publiclyExposed: b, automatable: c, technicalImpactTotal: d };
        const unknown = [a, b, c, d].filter((value) => value === null).length;
        expect(possibleRows(BOD_26_04, signals)).toHaveLength(2 ** unknown);
      }),
    );
  });
});

describe('prioritize', () => {
  it('names every row the unknown signals leave and takes the strictest, provisionally', () => {
    const { rows, dueAt, provisional, category } = decide({}, exposed, notListed);
    expect(rows.map(({ row }) => row)).toEqual([14, 7, 9, 2]);
    expect({ dueAt, provisional, category }).toEqual({
      dueAt: '2026-11-04T00:00:00.000Z',
      provisional: true,
      category: 'critical-security',
    });
  });

  it('calls a security update on a hidden endpoint important once KEV does not list it', () => {
    expect(decide({}, hidden, notListed)).toMatchObject({
      category: 'important',
      response: 'scheduled',
      provisional: true,
    });
  });

  it('keeps KEV unknown while no catalogue was imported, and counts the strictest row', () => {
    const decision = decide({}, hidden, noCatalog);
    expect(decision.inputs['in-kev']).toMatchObject({ value: null, at: null });
    expect(decision.category).toBe('critical-security');
    expect(decision.rows).toHaveLength(8);
  });

  it('starts the clock of a listed CVE no earlier than its listing', () => {
    const decision = decide({}, hidden, listed);
    expect(decision.category).toBe('critical-security');
    expect(decision.dueAt).toBe('2026-11-13T00:00:00.000Z');
    expect(decision.inputs['in-kev'].source).toContain('CVE-2026-0001');
  });

  it('keeps KEV unknown while the CVEs of a patch are not known', () => {
    const decision = decide({ cves: [], cvesKnown: false }, hidden, notListed);
    expect(decision.inputs['in-kev'].value).toBeNull();
    expect(decision.inputs['has-cve'].value).toBeNull();
    expect(decision.category).toBe('critical-security');
  });

  it('calls an update that fixes no vulnerability a feature, without a deadline', () => {
    expect(decide({ cves: [], securityOrigin: false }, exposed, notListed)).toMatchObject({
      category: 'feature',
      response: 'defer',
      provisional: false,
      dueAt: null,
      rows: [],
    });
  });

  it('calls an update with a CVE important although its archive is not a security archive', () => {
    expect(decide({ securityOrigin: false }, hidden, notListed).category).toBe('important');
  });

  it('never invents a signal: what nobody supplied is unknown in every context', () => {
    const { inputs } = decide({}, exposed, listed);
    expect(inputs.automatable.value).toBeNull();
    expect(inputs['technical-impact-total'].value).toBeNull();
  });
});
