import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createLocalIssuer,
  createTokenVerifier,
  endpointSecretDigest,
  formatEndpointCredential,
  newEndpointSecret,
  type Role,
} from '@patchtrail/auth';
import type { CloudEvent } from '@patchtrail/contracts';
import { busMigrations, openPostgresBus } from '@patchtrail/messaging';
import { createHttpApp, createLogger } from '@patchtrail/platform';
import { newTraceparent } from '@patchtrail/telemetry';
import { openDatabase } from '@patchtrail/postgres';
import { freshDatabase } from '@patchtrail/testing';
import { createAptArchive } from './adapters/feeds/apt-archive.js';
import type { Repository } from './adapters/feeds/signed-repository.suite.js';
import { transactOn } from './adapters/postgres/tx.js';
import { workRound } from './application/work-round.js';
import { discoveryMigrations } from './adapters/postgres/migrations.js';
import { createDiscovery } from './discovery.module.js';

export const NOW = '2026-11-21T09:00:00.000Z';
const STALE_AFTER_MS = 259_200_000;

export type Answer = Readonly<{ status: number; body: unknown; etag: string | null }>;
type Options = Readonly<{ as?: string; body?: unknown; ifMatch?: string; key?: string }>;

/** Discovery over HTTP on databases of its own. Its loops run only after `service.start()`. */
export async function startDiscovery() {
  const [own, busDatabase, dir] = [
    await freshDatabase('discovery'),
    await freshDatabase('bus'),
    await mkdtemp(join(tmpdir(), 'patchtrail-discovery-')),
  ];
  const log = createLogger('discovery', 'error');
  const db = await openDatabase({
    url: own.url,
    applicationName: 'spec',
    migrations: discoveryMigrations,
  });
  const busOwner = await openDatabase({
    url: busDatabase.url,
    applicationName: 'spec',
    migrations: busMigrations,
  });
  await busOwner.close();
  const bus = await openPostgresBus({ url: busDatabase.url });
  const issuer = await createLocalIssuer(dir);
  let now = NOW;
  const infra = {
    db,
    bus,
    log,
    now: () => new Date(now),
    verifyToken: createTokenVerifier(issuer),
  };
  const service = await createDiscovery(infra, {
    ...{ syncIntervalMs: 3_600_000, pollMs: 20, staleAfterMs: STALE_AFTER_MS },
  });
  const docs = [{ name: 'discovery', title: 'Patchtrail discovery', module: service.module }];
  const app = await createHttpApp({
    ...{ modules: [service.module], docs, log, now: infra.now },
    checkAnswers: true,
  });
  const url = await app.listen(0, '127.0.0.1');

  const token = (roles: readonly Role[], departments: readonly string[] = ['*']) =>
    issuer.mint({ sub: 'pat', roles, departments, ttlSeconds: 600 });
  const engineer = await token(['platform-engineer']);

  async function call(method: string, path: string, options: Options = {}): Promise<Answer> {
    const { as = engineer, body, ifMatch, key = randomUUID() } = options;
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(as === '' ? {} : { authorization: `Bearer ${as}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(method === 'POST' ? { 'idempotency-key': key } : {}),
        ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const parsed: unknown = await response.json();
    return { status: response.status, body: parsed, etag: response.headers.get('etag') };
  }

  return {
    db,
    bus,
    service,
    app,
    call,
    token,
    setNow: (at: string) => (now = at),
    /** Does all background work that there is now. */
    work: async (archive = createAptArchive(), signal = new AbortController().signal) => {
      const id = randomUUID();
      const caused = { correlationId: id, causationId: id, traceparent: newTraceparent() };
      const origin = () => ({ actor: 'spec', at: now, ...caused });
      const transact = transactOn(db);
      const failures: string[] = [];
      for (let round = 0; round < 20; round += 1) {
        const report = await workRound({ transact, archive, origin, signal }, STALE_AFTER_MS);
        failures.push(...report.failures);
        if (report.done === 0) break;
      }
      return failures;
    },
    /** Takes what waits in the outbox, in order. */
    events: async (name?: string): Promise<readonly CloudEvent<Record<string, unknown>>[]> => {
      const rows = await db.rows<{ message: CloudEvent<Record<string, unknown>> }>(
        'SELECT message FROM outbox ORDER BY number',
      );
      await db.run('DELETE FROM outbox');
      const events = rows.map(({ message }) => message);
      return name === undefined ? events : events.filter(({ type }) => type.includes(`.${name}.`));
    },
    stop: async () => {
      await service.stop();
      await app.close();
      await bus.close();
      await db.close();
      await own.drop();
      await busDatabase.drop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export type Discovery = Awaited<ReturnType<typeof startDiscovery>>;

export const attributes = {
  department: 'Finance',
  environment: 'production',
  businessImpact: 'high',
  exposure: 'public',
};

export function field(value: unknown, ...path: readonly (string | number)[]): unknown {
  let at = value;
  for (const name of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = Reflect.get(at, name);
  }
  return at;
}

export function text(value: unknown, ...path: readonly (string | number)[]): string {
  const found = field(value, ...path);
  if (typeof found !== 'string') throw new Error(`${path.join('.')} is ${JSON.stringify(found)}`);
  return found;
}

/** An enrolled endpoint, and the credential it speaks with. */
export async function enrol(
  discovery: Discovery,
  hostname: string,
  of: Readonly<Record<string, unknown>> = {},
): Promise<Readonly<{ endpointId: string; credential: string }>> {
  const issued = await discovery.call('POST', '/v1/enrolment-tokens', {
    body: { attributes: { ...attributes, ...of }, ttlSeconds: 600 },
  });
  const secret = newEndpointSecret();
  const enrolled = await discovery.call('POST', '/v1/endpoints:enrol', {
    as: '',
    body: enrolment(text(issued.body, 'token'), endpointSecretDigest(secret), hostname),
  });
  const endpointId = text(enrolled.body, 'endpointId');
  return { endpointId, credential: formatEndpointCredential(endpointId, secret) };
}

export function enrolment(token: string, credentialDigest: string, hostname: string) {
  const platform = { os: 'debian', release: '12', codename: 'bookworm', architecture: 'amd64' };
  return { token, credentialDigest, hostname, platform, hardwareModel: 'A', agentVersion: '0.1.0' };
}

/** Admits the archive; `used` are the sources of an endpoint that uses it. */
export async function admit(
  discovery: Discovery,
  { uri, suite, keyring }: Pick<Repository, 'uri' | 'suite' | 'keyring'>,
): Promise<Readonly<{ sourceId: string; used: readonly unknown[] }>> {
  const components = ['main'];
  const admitted = await discovery.call('POST', '/v1/package-sources', {
    body: { uri, suite, components, architectures: ['amd64'], keyring },
  });
  const used = [{ uri: `${uri}/`, suite, components, keyFingerprints: [] }];
  return { sourceId: text(admitted.body, 'sourceId'), used };
}

/** Sends an inventory that says something new. */
export async function report(
  discovery: Discovery,
  { endpointId, credential }: Readonly<{ endpointId: string; credential: string }>,
  body: ReturnType<typeof inventory>,
): Promise<void> {
  const path = `/v1/endpoints/${endpointId}/inventory`;
  const answer = await discovery.call('PUT', path, { as: credential, body });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.equal(field(answer.body, 'changed'), true);
}

export async function patchesIn(discovery: Discovery): Promise<unknown> {
  const { body } = await discovery.call('GET', '/v1/patches');
  return field(body, 'data', 'items');
}

type Installed = readonly [name: string, version: string, more?: Readonly<Record<string, string>>];

export function inventory(
  sequence: number,
  packages: readonly Installed[],
  of: Readonly<Record<string, unknown>> = {},
) {
  return {
    sequence,
    collectedAt: NOW,
    packages: packages.map(([name, version, more]) => ({
      ...{ name, version, architecture: 'amd64', status: 'ii ' },
      ...{ sourceName: name, sourceVersion: version, ...more },
    })),
    ...{ holds: [], sources: [], pendingUpgrades: [], aptProblem: null },
    ...{ rebootRequired: false, rebootPackages: [], trustProblems: [], agentVersion: '0.1.0' },
    ...of,
  };
}
