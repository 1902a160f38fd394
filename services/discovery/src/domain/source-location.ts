import { DomainError } from '@patchtrail/event-sourcing';

/** Where an archive is, in the one spelling under which reported and admitted sources meet. */
export type SourceLocation = Readonly<{ uri: string; suite: string }>;

const SCHEMES: readonly string[] = ['http:', 'https:', 'file:'];

/** @throws DomainError `invalid-source`, naming the field */
export function sourceLocation(uri: string, suite: string): SourceLocation {
  const location = readLocation(uri, suite);
  if (location === null) {
    throw new DomainError('invalid-source', 'uri: must be an absolute http, https or file URI');
  }
  if (!/^[A-Za-z0-9][A-Za-z0-9._/-]{0,98}(?<!\/)$/.test(suite) || suite.includes('..')) {
    throw new DomainError('invalid-source', 'suite: must be a name, and not a flat path');
  }
  return location;
}

/** The same without judging; `null` for what discovery could never fetch, such as `cdrom:`. */
export function readLocation(uri: string, suite: string): SourceLocation | null {
  if (!URL.canParse(uri)) return null;
  const url = new URL(uri);
  if (!SCHEMES.includes(url.protocol) || url.username !== '' || url.password !== '') return null;
  url.hash = '';
  url.search = '';
  return { uri: url.href.replace(/\/+$/, ''), suite };
}

/** @throws DomainError `invalid-source`, naming the field */
export function assertNames(field: string, names: readonly string[]): void {
  if (names.length === 0) throw new DomainError('invalid-source', `${field}: must not be empty`);
  if (new Set(names).size !== names.length) {
    throw new DomainError('invalid-source', `${field}: must not repeat a name`);
  }
  const bad = names.find(
    (name) => !/^[a-z0-9][a-z0-9._-]{0,39}(?:\/[a-z0-9._-]{1,40})?$/.test(name),
  );
  if (bad !== undefined) throw new DomainError('invalid-source', `${field}: ${bad} is not a name`);
}
