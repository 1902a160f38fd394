import type { Found } from './transaction.js';

export type InstalledPackage = Readonly<{
  name: string;
  version: string;
  architecture: string;
  sourceName: string;
  sourceVersion: string;
  /** dpkg's `db:Status-Abbrev`, three letters: `ii `. */
  status: string;
}>;

/** Argument for `dpkg-query --showformat`. */
export const PACKAGE_FORMAT =
  '${Package}\\t${Version}\\t${Architecture}\\t${source:Package}\\t${source:Version}\\t${db:Status-Abbrev}\\n';

/** Packages that dpkg knows a version of. */
export function parsePackages(text: string): readonly InstalledPackage[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split('\t');
      const [name, version, architecture, sourceName, sourceVersion, status] = fields;
      if (
        fields.length !== 6 ||
        name === undefined ||
        version === undefined ||
        architecture === undefined ||
        sourceName === undefined ||
        sourceVersion === undefined ||
        status === undefined
      ) {
        throw new Error(`dpkg-query printed a line of ${fields.length} fields, not of 6.`);
      }
      return { name, version, architecture, sourceName, sourceVersion, status };
    })
    .filter(({ version }) => version !== '');
}

export function asFound(installed: InstalledPackage): Found {
  return {
    package: installed.name,
    architecture: installed.architecture,
    version: installed.version,
    status: installed.status,
  };
}

const DOCUMENTATION = /^\/usr\/share\/(?:doc|man|locale|info|lintian)\//;

/**
 * Files that differ from their package, out of `dpkg --verify`.
 * Configuration files may be edited, and slim images leave documentation out.
 */
export function parseVerify(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [, marks = '', kind, path = ''] = /^(\S+) +(?:(c) )? *(\/.*)$/.exec(line) ?? [];
    if (path === '' || kind === 'c') return [];
    if (marks === 'missing') return DOCUMENTATION.test(path) ? [] : [path];
    return marks[2] === '5' ? [path] : [];
  });
}
