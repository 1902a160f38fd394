import { DomainError } from '@patchtrail/event-sourcing';

export type KevEntry = Readonly<{
  cveId: string;
  /** `YYYY-MM-DD` */
  dateAdded: string;
  /** `YYYY-MM-DD` */
  dueDate: string;
  knownRansomware: boolean;
}>;

export type KevCatalogue = Readonly<{
  catalogVersion: string;
  /** RFC 3339 in UTC. */
  releasedAt: string;
  entries: readonly KevEntry[];
}>;

const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z$/;
const ENTRIES_MAX = 100_000;

/**
 * Reads CISA's catalogue of known exploited vulnerabilities; what it does not use, it ignores.
 * @throws DomainError `malformed-catalogue`, naming index and field
 */
export function readKevCatalogue(document: unknown): KevCatalogue {
  const catalogue = record(document, 'document');
  const catalogVersion = text(catalogue, 'catalogVersion', '', /^.{1,40}$/);
  const releasedAt = text(catalogue, 'dateReleased', '', INSTANT);
  if (!isOnCalendar(releasedAt)) throw malformed('dateReleased', 'is not an instant');
  const list = catalogue['vulnerabilities'];
  if (!Array.isArray(list)) throw malformed('vulnerabilities', 'must be a list');
  const items: readonly unknown[] = list;
  if (items.length > ENTRIES_MAX) throw malformed('vulnerabilities', 'is too long');
  if (catalogue['count'] !== items.length) {
    throw malformed('count', `must be ${items.length}, the length of the list`);
  }
  // A list without entries would say of every CVE that nobody exploits it.
  if (items.length === 0) throw malformed('vulnerabilities', 'must not be empty');
  const entries = items.map(entryOf);
  assertDistinct(entries);
  assertAddedBefore(entries, releasedAt);
  return { catalogVersion, releasedAt, entries };
}

function entryOf(item: unknown, index: number): KevEntry {
  const at = `vulnerabilities[${index}]`;
  const entry = record(item, at);
  const ransomware = entry['knownRansomwareCampaignUse'];
  if (ransomware !== undefined && typeof ransomware !== 'string') {
    throw malformed(`${at}.knownRansomwareCampaignUse`, 'must be a text');
  }
  return {
    cveId: text(entry, 'cveID', at, /^CVE-\d{4}-\d{4,19}$/),
    dateAdded: date(entry, 'dateAdded', at),
    dueDate: date(entry, 'dueDate', at),
    knownRansomware: ransomware === 'Known',
  };
}

function assertDistinct(entries: readonly KevEntry[]): void {
  const seen = new Set<string>();
  entries.forEach(({ cveId }, index) => {
    if (seen.has(cveId))
      throw malformed(`vulnerabilities[${index}].cveID`, `${cveId} stands twice`);
    seen.add(cveId);
  });
}

/** Deadlines run from the day of the listing: one to come would put them off. */
function assertAddedBefore(entries: readonly KevEntry[], releasedAt: string): void {
  const late = entries.findIndex(({ dateAdded }) => dateAdded > releasedAt.slice(0, 10));
  if (late !== -1) {
    throw malformed(`vulnerabilities[${late}].dateAdded`, 'must not be after dateReleased');
  }
}

function record(value: unknown, at: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(at, 'must be an object');
  }
  return Object.fromEntries(Object.entries(value));
}

function text(
  of: Readonly<Record<string, unknown>>,
  field: string,
  at: string,
  pattern: RegExp,
): string {
  const value = of[field];
  const name = at === '' ? field : `${at}.${field}`;
  if (value === undefined) throw malformed(name, 'is missing');
  if (typeof value !== 'string' || !pattern.test(value)) throw malformed(name, 'is malformed');
  return value;
}

function date(of: Readonly<Record<string, unknown>>, field: string, at: string): string {
  const value = text(of, field, at, /^\d{4}-\d{2}-\d{2}$/);
  if (!isOnCalendar(value)) throw malformed(`${at}.${field}`, 'is not a date');
  return value;
}

/** `Date.parse` takes 30 February for a day of March. */
function isOnCalendar(text: string): boolean {
  const ms = Date.parse(text);
  return !Number.isNaN(ms) && new Date(ms).toISOString().slice(0, 10) === text.slice(0, 10);
}

function malformed(field: string, rule: string): DomainError {
  return new DomainError('malformed-catalogue', `${field}: ${rule}`);
}

const CLOCK_SKEW_MS = 86_400_000;

/**
 * Refuses a catalogue from the future: every real one after it would be older.
 * @throws DomainError `catalogue-not-yet-valid`
 */
export function assertReleased({ releasedAt }: KevCatalogue, now: string): void {
  if (Date.parse(releasedAt) <= Date.parse(now) + CLOCK_SKEW_MS) return;
  const detail = `dateReleased: ${releasedAt} is in the future`;
  throw new DomainError('catalogue-not-yet-valid', detail);
}

export type KevChange = Readonly<{ added: readonly KevEntry[]; changed: readonly KevEntry[] }>;

/**
 * What the catalogue changes against the entries that are stored.
 * @throws DomainError `catalogue-shrinks`, `catalogue-older`
 */
export function kevChange(
  stored: Readonly<{ releasedAt: string; entries: ReadonlyMap<string, KevEntry> }> | null,
  catalogue: KevCatalogue,
): KevChange {
  if (stored === null) return { added: catalogue.entries, changed: [] };
  if (Date.parse(catalogue.releasedAt) < Date.parse(stored.releasedAt)) {
    const detail = `dateReleased: ${catalogue.releasedAt} is before ${stored.releasedAt}`;
    throw new DomainError('catalogue-older', detail);
  }
  const listed = new Set(catalogue.entries.map(({ cveId }) => cveId));
  const lost = [...stored.entries.keys()].find((cveId) => !listed.has(cveId));
  if (lost !== undefined) {
    const detail = `vulnerabilities: ${lost} was listed before and is not any more`;
    throw new DomainError('catalogue-shrinks', detail);
  }
  const added = catalogue.entries.filter(({ cveId }) => !stored.entries.has(cveId));
  const changed = catalogue.entries.filter((entry) => {
    const before = stored.entries.get(entry.cveId);
    return before !== undefined && !isSameEntry(before, entry);
  });
  return { added, changed };
}

function isSameEntry(a: KevEntry, b: KevEntry): boolean {
  return (
    a.dateAdded === b.dateAdded &&
    a.dueDate === b.dueDate &&
    a.knownRansomware === b.knownRansomware
  );
}

/** At least one part, so that a catalogue without news is still seen to be complete. */
export function inParts<T>(items: readonly T[], sizeMax: number): readonly (readonly T[])[] {
  if (items.length === 0) return [[]];
  const parts: (readonly T[])[] = [];
  for (let i = 0; i < items.length; i += sizeMax) parts.push(items.slice(i, i + sizeMax));
  return parts;
}
