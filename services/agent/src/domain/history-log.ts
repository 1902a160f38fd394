/** One transaction in apt's history.log. */
export type HistoryEntry = Readonly<{
  commandLine: string;
  /** Names of all packages that it installed, upgraded, downgraded, removed or purged. */
  packages: readonly string[];
  error: string | null;
  ended: boolean;
}>;

const CHANGES = ['Install', 'Reinstall', 'Upgrade', 'Downgrade', 'Remove', 'Purge'];

/** The option that names the attempt in apt's command line; apt itself ignores it. */
export const attemptMark = (attemptId: string) => `Patchtrail::Attempt=${attemptId}`;

function parseEntry(block: string): HistoryEntry {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const colon = line.indexOf(': ');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2));
  }
  const packages = CHANGES.flatMap((field) =>
    [...(fields.get(field) ?? '').matchAll(/([^\s,():]+):[a-z0-9-]+ \(/g)].map(([, name]) =>
      String(name),
    ),
  );
  return {
    commandLine: fields.get('Commandline') ?? '',
    packages,
    error: fields.get('Error') ?? null,
    ended: fields.has('End-Date'),
  };
}

/** The transactions of an attempt in the text of a history.log. */
export function entriesOf(text: string, attemptId: string): readonly HistoryEntry[] {
  const mark = attemptMark(attemptId);
  return text
    .split(/\n\s*\n/)
    .filter((block) => block.includes(mark))
    .map((block) => parseEntry(block.trim()));
}
