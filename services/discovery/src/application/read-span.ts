import { cvesBetween, reachesAcross } from '../domain/changelog.js';
import { FeedRefusal } from '../domain/feed-refusal.js';
import type { Candidate, PatchArtifact, PatchChangelog } from '../domain/patch.js';
import type { DebChangelog } from './archive.js';
import type { DiscoveryPorts } from './ports.js';

const PACKAGES_READ_MAX = 4;

export type ReadSpan = PatchChangelog & Readonly<{ cves: readonly string[] }>;

/**
 * The CVEs that the uploads between the two versions name, from the smallest package of the source
 * that carries its changelog. Nothing is invented where none can be read, and what a cut one names
 * is not taken for all of them.
 */
export async function readSpan(
  ports: DiscoveryPorts,
  { fromVersion, sourceVersion }: Candidate,
  artifacts: readonly PatchArtifact[],
): Promise<ReadSpan> {
  const left = [...artifacts].sort((a, b) => a.size - b.size || (a.uri < b.uri ? -1 : 1));
  const problems: string[] = [];
  for (let read = 0; read < PACKAGES_READ_MAX; read += 1) {
    const artifact = left.shift();
    if (artifact === undefined) break;
    const changelog = await readOne(ports, artifact);
    if (changelog.status === 'read') {
      const cves = cvesBetween(changelog.entries, fromVersion, sourceVersion);
      const detail = `${artifact.package} ${artifact.version} ${artifact.architecture}, sha256:${artifact.sha256}`;
      if (reachesAcross(changelog.entries, fromVersion, sourceVersion)) {
        return { status: 'verified', detail, cves };
      }
      const short = `its changelog does not reach from ${fromVersion} to ${sourceVersion}`;
      return { status: 'unavailable', detail: `${detail}: ${short}`, cves };
    }
    if (changelog.status === 'elsewhere') bringForward(left, changelog.package);
    problems.push(`${artifact.package}: ${problemOf(changelog)}`);
  }
  return { status: 'unavailable', detail: problems.join('; ') || 'no package is listed', cves: [] };
}

function bringForward(left: PatchArtifact[], name: string): void {
  const index = left.findIndex((artifact) => artifact.package === name);
  if (index > 0) left.unshift(...left.splice(index, 1));
}

function problemOf(changelog: Exclude<DebChangelog, { status: 'read' }>): string {
  if (changelog.status === 'absent') return changelog.detail;
  return `its documentation is that of ${changelog.package}`;
}

/** What was read once is kept; what could not be fetched is tried again by a later round. */
async function readOne(ports: DiscoveryPorts, artifact: PatchArtifact): Promise<DebChangelog> {
  const { transact, origin, archive, signal } = ports;
  const known = await transact(origin(), (tx) => tx.patches.changelog(artifact.sha256));
  if (known !== null) return known;
  try {
    const changelog = await archive.readChangelog(artifact, signal);
    await transact(origin(), (tx) => tx.patches.keepChangelog(artifact.sha256, changelog));
    return changelog;
  } catch (error) {
    if (!(error instanceof FeedRefusal)) throw error;
    return { status: 'absent', detail: `${error.code}: ${error.detail}` };
  }
}
