/** A package source as the endpoint has it configured. */
export type ReportedSource = Readonly<{
  uri: string;
  suite: string;
  components: readonly string[];
  /** Only those written in the source itself; a keyring file is not opened. */
  keyFingerprints: readonly string[];
}>;

export type ParsedSources = Readonly<{
  sources: readonly ReportedSource[];
  /** Sources that are told to skip a check. */
  trustProblems: readonly string[];
}>;

type Entry = Readonly<{
  uris: readonly string[];
  suites: readonly string[];
  components: readonly string[];
  options: ReadonlyMap<string, string>;
}>;

const words = (text: string) => text.split(/\s+/).filter((word) => word !== '');

const TRUE = /^(?:yes|true|with|on|enable|1)$/i;
const FALSE = /^(?:no|false|without|off|disable|0)$/i;

function fingerprints(signedBy: string): readonly string[] {
  return [...signedBy.matchAll(/\b[0-9A-F]{40}\b/gi)].map(([match]) => match.toUpperCase());
}

function trustProblemsOf(entry: Entry): readonly string[] {
  const uri = entry.uris.join(' ');
  const problems = [];
  if (TRUE.test(entry.options.get('trusted') ?? '')) problems.push(`${uri}: trusted=yes`);
  if (FALSE.test(entry.options.get('check-valid-until') ?? '')) {
    problems.push(`${uri}: check-valid-until=no`);
  }
  for (const option of ['allow-insecure', 'allow-weak', 'allow-downgrade-to-insecure']) {
    if (TRUE.test(entry.options.get(option) ?? '')) problems.push(`${uri}: ${option}=yes`);
  }
  return problems;
}

function collect(entries: readonly Entry[]): ParsedSources {
  const sources = entries.flatMap((entry) =>
    entry.uris.flatMap((uri) =>
      entry.suites.map((suite) => ({
        uri,
        suite,
        components: entry.components,
        keyFingerprints: fingerprints(entry.options.get('signed-by') ?? ''),
      })),
    ),
  );
  return { sources, trustProblems: entries.flatMap(trustProblemsOf) };
}

function parseLine(line: string): Entry[] {
  const [, type, options = '', uri, rest] =
    /^(deb|deb-src)\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(.*)$/.exec(line) ?? [];
  if (type !== 'deb' || uri === undefined || rest === undefined) return [];
  const [suite, ...components] = words(rest);
  if (suite === undefined) return [];
  const pairs = words(options).map((pair): [string, string] => {
    const [name = '', ...value] = pair.split('=');
    return [name.toLowerCase(), value.join('=')];
  });
  return [{ uris: [uri], suites: [suite], components, options: new Map(pairs) }];
}

/** A one-line `.list` file. */
export function parseListFile(text: string): ParsedSources {
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim());
  return collect(lines.flatMap(parseLine));
}

/** Fields by lower-case name; the lines that continue a field are joined to it. */
function fieldsOf(stanza: string): Map<string, string> {
  const fields = new Map<string, string>();
  let field = '';
  for (const line of stanza.split('\n').filter((one) => !one.startsWith('#'))) {
    const [, name, value = ''] = /^([A-Za-z-]+):\s*(.*)$/.exec(line) ?? [];
    if (name !== undefined) {
      field = name.toLowerCase();
      fields.set(field, value);
    } else if (/^\s/.test(line)) {
      fields.set(field, `${fields.get(field) ?? ''}\n${line.trim()}`);
    }
  }
  return fields;
}

function parseStanza(stanza: string): Entry[] {
  const options = fieldsOf(stanza);
  const listOf = (name: string) => words(options.get(name) ?? '');
  if (!listOf('types').includes('deb') || FALSE.test(options.get('enabled') ?? '')) return [];
  return [
    { uris: listOf('uris'), suites: listOf('suites'), components: listOf('components'), options },
  ];
}

/** A deb822 `.sources` file. */
export function parseSourcesFile(text: string): ParsedSources {
  return collect(text.split(/\n[ \t]*\n/).flatMap(parseStanza));
}

const CHECKS = ['Acquire::Check-Valid-Until'];
const EXEMPTIONS = [
  'APT::Get::AllowUnauthenticated',
  'Acquire::AllowInsecureRepositories',
  'Acquire::AllowWeakRepositories',
  'Acquire::AllowDowngradeToInsecureRepositories',
];

/** Checks that the output of `apt-config dump` says are switched off for every source. */
export function configTrustProblems(dump: string): readonly string[] {
  return dump.split('\n').flatMap((line) => {
    const [, name = '', value = ''] = /^(\S+) "(.*)";$/.exec(line) ?? [];
    const off = CHECKS.includes(name) && FALSE.test(value);
    const on = EXEMPTIONS.includes(name) && TRUE.test(value);
    return off || on ? [`apt.conf: ${name} ${value}`] : [];
  });
}
