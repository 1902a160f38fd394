import { DomainError } from '@patchtrail/event-sourcing';

/** What an engineer says of an endpoint; the rest it reports itself. */
export type AssignedAttributes = Readonly<{
  department: string;
  environment: 'production' | 'staging' | 'development';
  businessImpact: 'low' | 'moderate' | 'high' | 'mission-critical';
  exposure: 'public' | 'controlled' | 'none';
  location: string;
  deviceType: string;
  owner: string;
  /** IANA name. */
  timeZone: string;
  labels: Readonly<Record<string, string>>;
}>;

export type ReportedAttributes = Readonly<{
  hostname: string;
  platform: Readonly<{ os: string; release: string; codename: string; architecture: string }>;
  hardwareModel: string;
}>;

const LABELS_MAX = 50;

/** @throws DomainError `invalid-attributes`, naming the field */
export function assertAttributes(attributes: AssignedAttributes): void {
  if (attributes.department.trim() === '') throw invalid('department', 'must not be empty');
  if (!isTimeZone(attributes.timeZone)) {
    throw invalid('timeZone', 'must be the IANA name of a time zone');
  }
  const labels = Object.entries(attributes.labels);
  if (labels.length > LABELS_MAX) throw invalid('labels', `must be at most ${LABELS_MAX}`);
  for (const [name, value] of labels) {
    if (!/^[\w.-]{1,63}$/.test(name)) throw invalid(`labels.${name}`, 'is not a label name');
    if (value.length > 200) throw invalid(`labels.${name}`, 'must be at most 200 characters');
  }
}

/** @throws DomainError `invalid-attributes`, naming the field */
export function assertReported({ hostname, platform }: ReportedAttributes): void {
  if (!/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(hostname)) {
    throw invalid('hostname', 'must be a host name');
  }
  if (!/^[a-z0-9-]{1,40}$/.test(platform.architecture)) {
    throw invalid('platform.architecture', 'must be a Debian architecture');
  }
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).format(0) !== '';
  } catch {
    return false;
  }
}

function invalid(field: string, rule: string): DomainError {
  return new DomainError('invalid-attributes', `${field}: ${rule}`);
}

/** Only what is given changes; labels are replaced as a whole. */
export function withChanges<A extends AssignedAttributes>(
  attributes: A,
  changes: Readonly<{ [K in keyof AssignedAttributes]?: AssignedAttributes[K] | undefined }>,
): A {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  return { ...attributes, ...Object.fromEntries(given) };
}
