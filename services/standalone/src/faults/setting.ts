import { endpointSecretDigest, formatEndpointCredential } from '@patchtrail/auth';
import { changelogEntry, type DebPackage } from '../demo/deb-package.js';
import { serveRepository, type SignedRepository } from '../demo/signed-repository.js';
import { type Caller, type Outcome, recordOf, type Request } from './client.js';

/** Who asks; their tokens last for an hour each. */
export type Tokens = Readonly<Record<'pat' | 'ana' | 'bo', () => Promise<string>>>;

/** What the commands are about: patches that the enrolled endpoints need. */
export type Setting = Readonly<{
  patchIds: readonly string[];
  templateId: string;
  close: () => Promise<void>;
}>;

const OLD = '1.0-1';
const NEW = '1.0-1+deb1';
const NAMES = ['faulty-tls', 'faulty-shell'];
const ENDPOINTS = 3;
const CODENAME = 'faults';
const SETTLE_MS_MAX = 90_000;

/** Admits an archive, enrols endpoints that lack its updates, and waits until all have heard of it. */
export async function prepareSetting(caller: Caller, tokens: Tokens): Promise<Setting> {
  const repository = await serveRepository({
    ...{ origin: 'Patchtrail faults', label: 'Patchtrail faults', codename: CODENAME },
    architecture: 'amd64',
    packages: NAMES.map(update),
  });
  try {
    const pat = await tokens.pat();
    const send = sender(caller, pat);
    await admit(send, repository);
    for (let n = 0; n < ENDPOINTS; n += 1) await enrolWithInventory(caller, send, repository, n);
    const templateId = await defineTemplate(send);
    const patchIds = await knownPatches(send);
    await untilRequestable(caller, pat, patchIds, templateId);
    return { patchIds, templateId, close: repository.close };
  } catch (error) {
    await repository.close();
    throw error;
  }
}

type Send = (
  request: Pick<Request, 'to' | 'path'> & Partial<Request>,
) => Promise<Readonly<Record<string, unknown>>>;

function sender({ call }: Caller, token: string): Send {
  return async (request) => {
    const outcome = await call({
      method: 'POST',
      token,
      key: `setting ${request.path}`.replaceAll(' ', '-'),
      ...request,
    });
    return acknowledged(request.path, outcome);
  };
}

function acknowledged(what: string, outcome: Outcome): Readonly<Record<string, unknown>> {
  if (outcome.kind === 'acknowledged') return outcome.body;
  throw new Error(`${what} was not accepted: ${JSON.stringify(outcome)}`);
}

function update(name: string): DebPackage {
  const first = changelogEntry(name, OLD, 'First release.', new Date('2026-01-05'));
  const fix = changelogEntry(name, NEW, 'Check a length (CVE-2099-0009).', new Date('2026-02-02'));
  const description = `${name} of the fault harness`;
  return { name, version: NEW, description, changelog: `${fix}${first}` };
}

async function admit(send: Send, { uri, codename, keyring }: SignedRepository): Promise<void> {
  const body = { uri, suite: codename, components: ['main'], architectures: ['amd64'], keyring };
  const { sourceId } = await send({ to: 'front', path: '/v1/package-sources', body });
  await send({ to: 'front', path: `/v1/package-sources/${String(sourceId)}/syncs`, body: {} });
}

/** What a person says about an endpoint that is to enrol. */
export const enrolmentWish = {
  attributes: {
    ...{ department: 'Finance', environment: 'production', labels: { fleet: 'faults' } },
    ...{ businessImpact: 'high', exposure: 'controlled' },
  },
  ttlSeconds: 3_600,
};

/** What an agent says about itself. */
export function enrolmentOf(token: string, hostname: string, secret: string) {
  return {
    ...{ token, hostname, credentialDigest: endpointSecretDigest(secret) },
    platform: { os: 'demo', release: '1', codename: 'demo', architecture: 'amd64' },
    ...{ hardwareModel: 'invented', agentVersion: '0.1.0' },
  };
}

async function enrolWithInventory(
  caller: Caller,
  send: Send,
  { uri, codename }: SignedRepository,
  n: number,
): Promise<void> {
  const key = `setting-endpoint-${String(n)}`;
  const issued = await send({
    to: 'front',
    path: '/v1/enrolment-tokens',
    body: enrolmentWish,
    key,
  });
  const secret = String(n).padStart(43, 'A');
  const body = enrolmentOf(String(issued['token']), key, secret);
  const path = '/v1/endpoints:enrol';
  const { endpointId } = await send({ to: 'front', path, body, key, token: null });
  const id = String(endpointId);
  const token = formatEndpointCredential(id, secret);
  const reported = await caller.call({
    ...{ to: 'front', method: 'PUT', path: `/v1/endpoints/${id}/inventory`, token },
    body: inventoryOf(uri, codename),
  });
  acknowledged('inventory', reported);
}

function inventoryOf(uri: string, suite: string) {
  return {
    sequence: 1,
    collectedAt: new Date().toISOString(),
    packages: NAMES.map((name) => ({
      ...{ name, version: OLD, architecture: 'all', sourceName: name, sourceVersion: OLD },
      status: 'ii ',
    })),
    ...{ holds: [], pendingUpgrades: [], rebootPackages: [], trustProblems: [] },
    sources: [{ uri, suite, components: ['main'], keyFingerprints: [] }],
    ...{ aptProblem: null, rebootRequired: false, agentVersion: '0.1.0' },
  };
}

const gate = { successPercentMin: 100, failuresMax: 0 };
const cap = { unit: 'endpoints', value: 4 };

export function templateNamed(name: string) {
  return {
    name,
    rings: [{ name: 'all', selector: {}, cap, gate, bakeMs: 0, deadlineMs: 3_600_000 }],
    leaseMs: 300_000,
    retry: { attemptsMax: 2, backoffMs: 1_000 },
    rollback: 'automatic',
  };
}

async function defineTemplate(send: Send): Promise<string> {
  const body = templateNamed('Rings of the setting');
  return String((await send({ to: 'back', path: '/v1/plan-templates', body }))['templateId']);
}

async function knownPatches(send: Send): Promise<readonly string[]> {
  return until('the patches', async () => {
    const { data } = await send({ to: 'front', method: 'GET', path: '/v1/patches?page_size=100' });
    const { items } = recordOf(data);
    const ids = Array.isArray(items) ? items.map((item) => String(recordOf(item)['patchId'])) : [];
    return ids.length === NAMES.length ? ids : null;
  });
}

export function requestOf(patchIds: readonly string[], planTemplateId: string, remark: string) {
  return { patchIds, planTemplateId, remark, scope: { attributes: { 'labels.fleet': 'faults' } } };
}

/** Refused until the news of discovery and prioritization has reached approval. */
async function untilRequestable(
  { call }: Caller,
  token: string,
  patchIds: readonly string[],
  templateId: string,
): Promise<void> {
  const path = '/v1/approval-requests';
  const body = requestOf(patchIds, templateId, 'Of the setting');
  let tries = 0;
  await until('a request that approval accepts', async () => {
    tries += 1;
    const key = `setting-request-${String(tries)}`;
    const outcome = await call({ to: 'back', method: 'POST', path, body, token, key });
    return outcome.kind === 'acknowledged' ? true : null;
  });
}

async function until<T>(what: string, ask: () => Promise<T | null>): Promise<T> {
  const end = performance.now() + SETTLE_MS_MAX;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (performance.now() >= end) throw new Error(`Waited in vain for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
