import type { Stanza } from './deb822.js';
import { isVersion } from './debian-version.js';
import { FeedRefusal } from './feed-refusal.js';

/** One binary package that an archive offers. */
export type IndexPackage = Readonly<{
  component: string;
  package: string;
  version: string;
  architecture: string;
  sourcePackage: string;
  sourceVersion: string;
  /** Relative to the archive's URI. */
  filename: string;
  sha256: string;
  /** Bytes. */
  size: number;
}>;

/** @throws FeedRefusal `malformed-index`, naming the package and the field */
export function indexPackageOf(stanza: Stanza, component: string): IndexPackage {
  const name = field(stanza, 'Package', /^[a-z0-9][a-z0-9+.-]{0,199}$/);
  const version = field(stanza, 'Version', /^.{1,200}$/);
  if (!isVersion(version)) throw malformed(stanza, 'Version', 'is not a Debian version');
  const source = sourceOf(stanza, name, version);
  return {
    component,
    package: name,
    version,
    architecture: field(stanza, 'Architecture', /^[a-z0-9-]{1,40}$/),
    ...source,
    filename: field(stanza, 'Filename', /^(?!\/)(?!.*(?:^|\/)\.\.(?:\/|$))\S{1,1000}$/),
    sha256: field(stanza, 'SHA256', /^[0-9a-f]{64}$/),
    size: Number(field(stanza, 'Size', /^\d{1,12}$/)),
  };
}

/** `Source: name (version)`; what it leaves out is as in the binary package. */
function sourceOf(stanza: Stanza, name: string, version: string) {
  const text = stanza.get('Source');
  if (text === undefined) return { sourcePackage: name, sourceVersion: version };
  const match = /^([a-z0-9][a-z0-9+.-]{0,199})(?: \(([^)]{1,200})\))?$/.exec(text);
  const [, sourcePackage, sourceVersion = version] = match ?? [];
  if (sourcePackage === undefined || !isVersion(sourceVersion)) {
    throw malformed(stanza, 'Source', 'must be a name and a version in brackets');
  }
  return { sourcePackage, sourceVersion };
}

function field(stanza: Stanza, name: string, pattern: RegExp): string {
  const value = stanza.get(name);
  if (value === undefined) throw malformed(stanza, name, 'is missing');
  if (!pattern.test(value)) throw malformed(stanza, name, 'is malformed');
  return value;
}

function malformed(stanza: Stanza, name: string, rule: string): FeedRefusal {
  const of = stanza.get('Package') ?? 'a stanza without a name';
  return new FeedRefusal('malformed-index', `${of}: the field ${name} ${rule}`);
}
