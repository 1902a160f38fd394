export type Platform = Readonly<{
  os: string;
  release: string;
  codename: string;
  architecture: string;
}>;

/** `os`, `release` and `codename` from the text of `/etc/os-release`; `unknown` for what it leaves out. */
export function parseOsRelease(text: string): Omit<Platform, 'architecture'> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, key, quoted] = /^([A-Z_]+)=(.*)$/.exec(line.trim()) ?? [];
    if (key === undefined || quoted === undefined) continue;
    values.set(key, quoted.replace(/^(["'])(.*)\1$/, '$2'));
  }
  const valueOf = (key: string) => {
    const value = values.get(key) ?? '';
    return value === '' ? 'unknown' : value;
  };
  return {
    os: valueOf('ID'),
    release: valueOf('VERSION_ID'),
    codename: valueOf('VERSION_CODENAME'),
  };
}
