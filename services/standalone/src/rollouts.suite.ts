import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removePostgres } from '@patchtrail/postgres';
import { eventually, runScript, type RunningScript } from '@patchtrail/testing';
import type { Listed, PatchAnswer, RequestAnswer, RolloutAnswer, Screen } from './demo/api.js';
import type { Client } from './demo/client.js';
import type { Fleet } from './demo/fleet.js';
import { simulatedFleet } from './demo/simulated-fleet.js';
import { type Product, serverFolder, serverProcesses, startProduct } from './product.suite.js';

const AGENT = new URL('../../agent/src/main.ts', import.meta.url);
const HELD_AGENT = new URL('held-agent.fixture.ts', import.meta.url);
const ENDPOINTS = 12;
const SLOW = { deadlineMs: 40_000, everyMs: 50 };

export type People = Readonly<{ pat: Client; ana: Client; bo: Client; aud: Client }>;

/** One endpoint of a rollout: its agent's process, and what its own files say. */
export type Machine = Readonly<{
  name: string;
  ring: string;
  agent: RunningScript;
  /** Its apt history.log. */
  history: () => Promise<string>;
}>;

export type World = Readonly<{
  dataDir: string;
  /** Starts the product, the second time and later on the port of the first. */
  start: (entry?: string, ...args: readonly string[]) => Promise<Product>;
  people: (product: Product) => Promise<People>;
  /** Starts an agent each on endpoints that no rollout has touched yet. */
  enrol: (
    product: Product,
    group: string,
    rings: readonly string[],
    held?: boolean,
  ) => Promise<readonly Machine[]>;
  /** Kills what a test has not ended itself. */
  endAll: () => Promise<void>;
  close: () => Promise<void>;
}>;

/**
 * A data folder, simulated endpoints with the signed archive they update from, and their agents; `env`
 * is for the product.
 */
export async function openWorld(env: Readonly<Record<string, string>> = {}): Promise<World> {
  const workDir = await mkdtemp(join(tmpdir(), 'patchtrail-standalone-'));
  const dataDir = join(workDir, 'data');
  const fleet = await simulatedFleet({
    ...{ endpoints: ENDPOINTS, mirror: null, workDir },
    progress: () => undefined,
  });
  const unused = [...fleet.endpoints];
  const scripts: RunningScript[] = [];
  let port = '0';
  let admitted = false;

  const people = async (product: Product): Promise<People> => ({
    pat: await product.as('pat', ['platform-engineer']),
    ana: await product.as('ana', ['approver']),
    bo: await product.as('bo', ['approver']),
    aud: await product.as('aud', ['auditor']),
  });
  return {
    dataDir,
    people,
    start: async (entry, ...args) => {
      const options = { dataDir, port, args, env, ...(entry === undefined ? {} : { entry }) };
      const product = await startProduct(options);
      scripts.push(product.script);
      port = new URL(product.url).port;
      return product;
    },
    enrol: async (product, group, rings, held = false) => {
      const { pat } = await people(product);
      if (!admitted) await admit(pat, fleet);
      admitted = true;
      const script = held ? HELD_AGENT : AGENT;
      return Promise.all(
        rings.map(async (ring) => {
          const { name } = unused.shift() ?? { name: 'none left' };
          const file = join(workDir, 'endpoints', name);
          const token = await enrolmentToken(pat, { group, ring });
          const args = await agentArguments(workDir, name, product.url, token);
          const agent = runScript(script, { args });
          scripts.push(agent);
          return { name, ring, agent, history: () => readFile(`${file}.history.log`, 'utf8') };
        }),
      );
    },
    endAll: async () => {
      await Promise.all(scripts.splice(0).map((script) => script.kill()));
    },
    close: async () => {
      await fleet.close();
      await removePostgres(join(dataDir, 'postgres'));
      await rm(workDir, { recursive: true, force: true });
    },
  };
}

async function admit(pat: Client, fleet: Fleet): Promise<void> {
  for (const source of fleet.sources) {
    const { body } = await pat.post<{ sourceId: string }>('/v1/package-sources', source);
    await pat.post(`/v1/package-sources/${body.sourceId}/syncs`, {});
  }
}

async function enrolmentToken(pat: Client, labels: Record<string, string>): Promise<string> {
  const attributes = {
    ...{ department: 'Finance', environment: 'production', labels },
    ...{ businessImpact: 'high', exposure: 'controlled' },
  };
  const wish = { attributes, ttlSeconds: 3_600 };
  return (await pat.post<{ token: string }>('/v1/enrolment-tokens', wish)).body.token;
}

async function agentArguments(workDir: string, name: string, url: string, token: string) {
  const stateDir = join(workDir, 'agents', name);
  await mkdir(stateDir, { recursive: true });
  const tokenFile = join(stateDir, 'token');
  await writeFile(tokenFile, token, { mode: 0o600 });
  return [
    ...['--simulate', join(workDir, 'endpoints', `${name}.json`), '--server', url],
    ...['--enrol-token-file', tokenFile, '--state-dir', join(stateDir, 'state')],
    ...['--poll-ms', '200', '--request-timeout-ms', '3000'],
  ];
}

/** Waits until reporting knows that every machine misses the patches; answers their ids. */
export async function missedPatches(
  { aud }: People,
  machines: readonly Machine[],
): Promise<readonly string[]> {
  return eventually(async () => {
    const list = await aud.get<Screen<Listed<PatchAnswer>>>('/v1/patches?page_size=500');
    const patchIds = list.body.data.items.map(({ patchId }) => patchId);
    if (patchIds.length < 3) throw new Error(`Only ${patchIds.length} patches are known.`);
    for (const patchId of patchIds) {
      const path = `/v1/compliance?patchId=${patchId}&page_size=500`;
      const { body } = await aud.get<Screen<Listed<{ hostname: string; state: string }>>>(path);
      for (const { name } of machines) {
        const row = body.data.items.find(({ hostname }) => hostname === name);
        if (row?.state !== 'MISSING')
          throw new Error(`${name} is ${row?.state ?? 'not seen yet'}.`);
      }
    }
    return patchIds;
  }, SLOW);
}

const gate = { successPercentMin: 100, failuresMax: 0 };
const cap = { unit: 'endpoints', value: 4 };
const ringOf = (bakeMs: number) => ({ cap, gate, bakeMs, deadlineMs: 600_000 });

/** A request for the machines of a group: a pilot ring that bakes this long, then the broad one. */
export async function requestRollout(
  { pat }: People,
  group: string,
  patchIds: readonly string[],
  pilotBakeMs: number,
): Promise<string> {
  const { body } = await pat.post<{ templateId: string }>('/v1/plan-templates', {
    name: `Rings of ${group}`,
    rings: [
      {
        name: 'pilot',
        selector: { attributes: { 'labels.ring': 'pilot' } },
        ...ringOf(pilotBakeMs),
      },
      { name: 'broad', selector: {}, ...ringOf(0) },
    ],
    leaseMs: 300_000,
    retry: { attemptsMax: 2, backoffMs: 1_000 },
    rollback: 'automatic',
  });
  const wish = {
    ...{ patchIds, planTemplateId: body.templateId, remark: 'Security updates' },
    scope: { attributes: { 'labels.group': group } },
  };
  // Refused until discovery's and prioritization's news have reached approval.
  const asked = () => pat.post<RequestAnswer>('/v1/approval-requests', wish);
  return (await eventually(asked, SLOW)).body.requestId;
}

/** Two votes, for the impact of the machines is high. */
export async function approve({ ana, bo }: People, requestId: string): Promise<void> {
  for (const person of [ana, bo]) {
    const path = `/v1/approval-requests/${requestId}`;
    const { body, etag } = await person.get<Screen<RequestAnswer>>(path);
    const { changeDigest } = body.data;
    const decision = { verdict: 'approve', changeDigest, remark: 'Read and agreed.' };
    await person.post(`${path}/decisions`, decision, etag ?? '*');
  }
}

/** The request's rollout, once `holds` of it. */
export async function untilRollout(
  { aud }: People,
  requestId: string,
  holds: (rollout: RolloutAnswer) => boolean,
): Promise<RolloutAnswer> {
  return eventually(async () => {
    const list = await aud.get<Screen<Listed<RolloutAnswer>>>(
      `/v1/rollouts?requestId=${requestId}`,
    );
    const [listed] = list.body.data.items;
    if (listed === undefined) throw new Error(`Request ${requestId} has no rollout.`);
    const path = `/v1/rollouts/${listed.rolloutId}`;
    const { data } = (await aud.get<Screen<RolloutAnswer>>(path)).body;
    if (!holds(data)) throw new Error(`The rollout is ${JSON.stringify(data)}.`);
    return data;
  }, SLOW);
}

/** Ends the agents in order, the product with SIGTERM, and answers what still runs. */
export async function leftRunning(
  { dataDir }: World,
  product: Product,
  machines: readonly Machine[],
): Promise<readonly string[]> {
  await Promise.all(machines.map(({ agent }) => agent.kill('SIGTERM')));
  const exit = await product.stop();
  const servers = await serverProcesses(dataDir);
  const place = await serverFolder(dataDir);
  return [
    ...(exit.code === 0 ? [] : [`The product ended with ${JSON.stringify(exit)}.`]),
    ...servers.map((pid) => `Process ${pid} works in ${place}.`),
  ];
}
