import { compareVersions, isVersion } from './debian-version.js';

/** One upload in a Debian changelog with the CVEs its text names. */
export type ChangelogEntry = Readonly<{ version: string; cves: readonly string[] }>;

const HEADING = /^[A-Za-z0-9][A-Za-z0-9+.-]* \(([^()\s]+)\) [^;]*;/;
const CVE = /CVE-\d{4}-\d{4,19}/g;

/** The uploads in the order of the file; lines that belong to none are passed over. */
export function parseChangelog(text: string): ChangelogEntry[] {
  const entries: { version: string; cves: Set<string> }[] = [];
  for (const line of text.split('\n')) {
    const version = HEADING.exec(line)?.[1];
    if (version !== undefined && isVersion(version)) {
      entries.push({ version, cves: new Set() });
      continue;
    }
    const entry = entries.at(-1);
    for (const [cve] of line.matchAll(CVE)) entry?.cves.add(cve);
  }
  return entries.map(({ version, cves }) => ({ version, cves: [...cves] }));
}

/** CVEs of the uploads after `from` up to and with `to`, sorted, each once. */
export function cvesBetween(
  entries: readonly ChangelogEntry[],
  from: string,
  to: string,
): string[] {
  const within = entries.filter(
    ({ version }) => compareVersions(version, from) > 0 && compareVersions(version, to) <= 0,
  );
  return [...new Set(within.flatMap(({ cves }) => cves))].sort();
}

/** Whether the uploads go all the way: packages come with their older entries cut off, too. */
export function reachesAcross(
  entries: readonly ChangelogEntry[],
  from: string,
  to: string,
): boolean {
  return (
    entries.some(({ version }) => compareVersions(version, to) === 0) &&
    entries.some(({ version }) => compareVersions(version, from) <= 0)
  );
}
