import { describe, expect, it } from '@jest/globals';
import { assertReleased, inParts, type KevEntry, kevChange, readKevCatalogue } from './kev.js';

const item = (cveID: string, of: Readonly<Record<string, unknown>> = {}) => ({
  ...{ cveID, dateAdded: '2026-06-10', dueDate: '2026-06-13', vendorProject: 'v', ...of },
});
const document = (items: readonly unknown[], of: Readonly<Record<string, unknown>> = {}) => ({
  catalogVersion: '2026.06.10',
  dateReleased: '2026-06-10T16:45:47.0648Z',
  count: items.length,
  vulnerabilities: items,
  ...of,
});

describe('a KEV catalogue', () => {
  it('is read', () => {
    const read = readKevCatalogue(
      document([
        item('CVE-2026-0001', { knownRansomwareCampaignUse: 'Known' }),
        item('CVE-2026-0002'),
      ]),
    );
    expect(read).toEqual({
      catalogVersion: '2026.06.10',
      releasedAt: '2026-06-10T16:45:47.0648Z',
      entries: [
        {
          ...{ cveId: 'CVE-2026-0001', dateAdded: '2026-06-10' },
          dueDate: '2026-06-13',
          knownRansomware: true,
        },
        {
          ...{ cveId: 'CVE-2026-0002', dateAdded: '2026-06-10' },
          dueDate: '2026-06-13',
          knownRansomware: false,
        },
      ],
    });
  });

  it.each<[unknown, string]>([
    [null, 'document: must be an object'],
    [[], 'document: must be an object'],
    [document([], { catalogVersion: undefined }), 'catalogVersion: is missing'],
    [document([], { dateReleased: '10 June' }), 'dateReleased: is malformed'],
    [document([], { vulnerabilities: {} }), 'vulnerabilities: must be a list'],
    [document([item('CVE-2026-0001')], { count: 2 }), 'count: must be 1, the length of the list'],
    [document([item('CVE-2026-0001'), 'x']), 'vulnerabilities[1]: must be an object'],
    [document([item('CVE-26-1')]), 'vulnerabilities[0].cveID: is malformed'],
    [
      document([item('CVE-2026-0001', { dueDate: '2026-13-45' })]),
      'vulnerabilities[0].dueDate: is not a date',
    ],
    [
      document([item('CVE-2026-0001', { dueDate: '2026-02-29' })]),
      'vulnerabilities[0].dueDate: is not a date',
    ],
    [document([], { dateReleased: '2026-02-30T10:00:00Z' }), 'dateReleased: is not an instant'],
    [document([]), 'vulnerabilities: must not be empty'],
    [
      document([item('CVE-2026-0001', { dateAdded: '2026-06-11' })]),
      'vulnerabilities[0].dateAdded: must not be after dateReleased',
    ],
    [
      document([item('CVE-2026-0001', { dateAdded: 7 })]),
      'vulnerabilities[0].dateAdded: is malformed',
    ],
    [
      document([item('CVE-2026-0001', { knownRansomwareCampaignUse: true })]),
      'vulnerabilities[0].knownRansomwareCampaignUse: must be a text',
    ],
    [
      document([item('CVE-2026-0001'), item('CVE-2026-0001')]),
      'vulnerabilities[1].cveID: CVE-2026-0001 stands twice',
    ],
  ])('is refused, naming the place: %#', (bad, detail) => {
    expect(() => readKevCatalogue(bad)).toThrow(
      expect.objectContaining({ code: 'malformed-catalogue', detail }),
    );
  });
});

it('a catalogue keeps a leap day, and one that is of the day', () => {
  const leap = item('CVE-2024-0001', { dateAdded: '2024-02-29', dueDate: '2028-02-29' });
  expect(readKevCatalogue(document([leap, item('CVE-2026-0001')])).entries).toMatchObject([
    { dateAdded: '2024-02-29', dueDate: '2028-02-29' },
    { dateAdded: '2026-06-10' },
  ]);
});

describe('a newer catalogue', () => {
  const entry = (cveId: string, of: Partial<KevEntry> = {}): KevEntry => ({
    ...{ cveId, dateAdded: '2026-06-10', dueDate: '2026-06-13', knownRansomware: false, ...of },
  });
  const catalogue = (entries: readonly KevEntry[], releasedAt = '2026-06-11T00:00:00Z') => ({
    ...{ catalogVersion: 'v', releasedAt, entries },
  });
  const stored = {
    releasedAt: '2026-06-10T00:00:00Z',
    entries: new Map([entry('a'), entry('b')].map((each) => [each.cveId, each])),
  };

  it('adds and changes', () => {
    const news = entry('b', { knownRansomware: true });
    expect(kevChange(stored, catalogue([entry('a'), news, entry('c')]))).toEqual({
      ...{ added: [entry('c')], changed: [news] },
    });
  });

  it('never removes', () => {
    expect(() => kevChange(stored, catalogue([entry('a'), entry('c')]))).toThrow(
      expect.objectContaining({
        code: 'catalogue-shrinks',
        detail: 'vulnerabilities: b was listed before and is not any more',
      }),
    );
  });

  it('is never older', () => {
    const older = catalogue([entry('a'), entry('b')], '2026-06-09T00:00:00Z');
    expect(() => kevChange(stored, older)).toThrow(
      expect.objectContaining({ code: 'catalogue-older' }),
    );
  });

  it('is not of the future, which would keep out all that come after it', () => {
    const released = catalogue([entry('a')], '2026-06-12T00:00:00Z');
    expect(() => {
      assertReleased(released, '2026-06-10T23:59:59.999Z');
    }).toThrow(
      expect.objectContaining({
        code: 'catalogue-not-yet-valid',
        detail: 'dateReleased: 2026-06-12T00:00:00Z is in the future',
      }),
    );
    expect(() => {
      assertReleased(released, '2026-06-11T00:00:00.000Z');
    }).not.toThrow();
  });

  it('travels in parts, at least one', () => {
    expect(inParts([1, 2, 3], 2)).toEqual([[1, 2], [3]]);
    expect(inParts([], 2)).toEqual([[]]);
  });
});
