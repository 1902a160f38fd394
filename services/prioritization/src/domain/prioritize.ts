import { type PackRow, type PolicyPack, possibleRows, type Signals } from './policy-pack.js';

/** A signal with its origin: `value` is `null` when nobody has supplied it. */
export type Input = Readonly<{ value: boolean | null; source: string; at: string | null }>;

export type PatchFacts = Readonly<{
  patchId: string;
  revision: number;
  securityOrigin: boolean;
  cves: readonly string[];
  /** False when the changelog could not be read, so that the list of CVEs is not complete. */
  cvesKnown: boolean;
  sourceId: string;
  discoveredAt: string;
}>;

export type AssetContext = Readonly<{
  exposure: 'public' | 'controlled' | 'none';
  businessImpact: 'low' | 'moderate' | 'high' | 'mission-critical';
}>;

/** The KEV catalogue as far as it concerns one patch. */
export type KevKnowledge = Readonly<{
  /** Catalogue version and release time; `null` while none was imported. */
  catalog: Readonly<{ version: string; releasedAt: string }> | null;
  /** The patch's CVEs that are listed. */
  listed: readonly Readonly<{ cveId: string; dateAdded: string }>[];
}>;

export type Decision = Readonly<{
  category: 'critical-security' | 'important' | 'feature' | 'optional';
  provisional: boolean;
  response: 'immediate' | 'out-of-cycle' | 'scheduled' | 'defer';
  dueAt: string | null;
  rows: readonly PackRow[];
  inputs: Readonly<Record<InputName, Input>>;
}>;

export type InputName =
  | 'in-kev'
  | 'publicly-exposed'
  | 'automatable'
  | 'technical-impact-total'
  | 'has-cve'
  | 'security-origin';

const CRITICAL_DAYS_MAX = 14;
const MS_PER_DAY = 86_400_000;

/**
 * Category, deadline and response of one patch revision in one asset context.
 * Unknown signals stay unknown: every row they leave possible is named and the strictest counts.
 */
export function prioritize(
  pack: PolicyPack,
  patch: PatchFacts,
  context: AssetContext,
  kev: KevKnowledge,
): Decision {
  const inputs = gather(patch, context, kev);
  const harmless = inputs['has-cve'].value === false && !patch.securityOrigin;
  const rows = harmless ? [] : possibleRows(pack, signalsOf(inputs));
  const days = rows[0]?.days ?? null;
  const critical = days !== null && days <= CRITICAL_DAYS_MAX;
  return {
    category: critical ? 'critical-security' : harmless ? 'feature' : 'important',
    provisional: new Set(rows.map((row) => row.days)).size > 1,
    response: responseFor(days),
    dueAt: days === null ? null : dueAt(patch, kev, days),
    rows,
    inputs,
  };
}

function gather(
  patch: PatchFacts,
  context: AssetContext,
  kev: KevKnowledge,
): Readonly<Record<InputName, Input>> {
  const nobody = { value: null, source: 'nobody has supplied it', at: null };
  return {
    'in-kev': inKev(patch, kev),
    'publicly-exposed': {
      value: context.exposure === 'public',
      source: `endpoint attribute exposure=${context.exposure}`,
      at: null,
    },
    automatable: nobody,
    'technical-impact-total': nobody,
    'has-cve': hasCve(patch),
    'security-origin': {
      value: patch.securityOrigin,
      source: `package source ${patch.sourceId}`,
      at: patch.discoveredAt,
    },
  };
}

function inKev(patch: PatchFacts, { catalog, listed }: KevKnowledge): Input {
  if (catalog === null) return { value: null, source: 'no KEV catalogue was imported', at: null };
  const source = `KEV catalogue ${catalog.version}`;
  if (listed.length > 0) {
    const names = listed.map(({ cveId }) => cveId).join(', ');
    return { value: true, source: `${source}: ${names}`, at: catalog.releasedAt };
  }
  if (!patch.cvesKnown) {
    return { value: null, source: 'the CVEs of the patch are not known', at: null };
  }
  return { value: false, source, at: catalog.releasedAt };
}

function hasCve({ cves, cvesKnown, discoveredAt }: PatchFacts): Input {
  if (cves.length > 0 || cvesKnown) {
    return {
      value: cves.length > 0,
      source: 'changelog of the verified package',
      at: discoveredAt,
    };
  }
  return { value: null, source: 'the changelog could not be read', at: null };
}

function signalsOf(inputs: Readonly<Record<InputName, Input>>): Signals<boolean | null> {
  return {
    inKev: inputs['in-kev'].value,
    publiclyExposed: inputs['publicly-exposed'].value,
    automatable: inputs.automatable.value,
    technicalImpactTotal: inputs['technical-impact-total'].value,
  };
}

function responseFor(days: number | null): Decision['response'] {
  if (days === null) return 'defer';
  if (days <= 3) return 'immediate';
  return days <= CRITICAL_DAYS_MAX ? 'out-of-cycle' : 'scheduled';
}

/** A clock cannot have run before there was a patch, nor before the listing that started it. */
function dueAt(patch: PatchFacts, { listed }: KevKnowledge, days: number): string {
  const starts = listed.map(({ dateAdded }) => Date.parse(dateAdded));
  const listedAt = starts.length === 0 ? 0 : Math.min(...starts);
  const start = Math.max(Date.parse(patch.discoveredAt), listedAt);
  return new Date(start + days * MS_PER_DAY).toISOString();
}
