import type {
  ComplianceAnswer,
  DecisionAnswer,
  Listed,
  PatchAnswer,
  RequestAnswer,
  RolloutAnswer,
  Screen,
  TicketsAnswer,
  TrailAnswer,
} from './api.js';
import { type Client, Refused, until } from './client.js';
import type { DemoSource, Fleet, Upgrade } from './fleet.js';
import type { ObservedCompliance, ObservedRequest, Observations } from './observations.js';
import { demoPlan } from './plan.js';
import type { Product } from './product.js';
import type { Stopwatch } from './stopwatch.js';

type People = Readonly<{ pat: Client; ana: Client; bo: Client; aud: Client }>;
type Stage = Readonly<{
  fleet: Fleet;
  product: Product;
  people: People;
  progress: (line: string) => void;
  stopwatch: Stopwatch;
}>;

const DISCOVERY_MS_MAX = 180_000;
const ROLLOUT_MS_MAX = 600_000;

/** Drives the product as four people would, and returns what was seen on the way. */
export async function runFlow(stage: Stage): Promise<Observations> {
  const { fleet, people, progress, stopwatch } = stage;
  progress('pat admits the package sources and enrols the endpoints');
  await admitAndEnrol(stage);
  const strangerStatus = await askAsStranger(stage.product.url);
  progress('waiting for inventories, patches and priorities');
  const patches = await discovered(stage);
  const security = patches.filter(({ securityOrigin }) => securityOrigin);
  const bad = patches.filter(({ securityOrigin }) => !securityOrigin);
  const decisions = await prioritized(people.aud, patches);
  const before = await fleet.observe();
  const complianceBefore = await settledCompliance(people.aud, security, fleet.endpoints.length);
  stopwatch.lap('discovered');

  progress('pat asks for approval; the requester may not approve, two others must');
  const planId = await definePlan(people.pat);
  const opened = await ask(people.pat, security, planId, 'Security updates');
  const selfApproval = await vote(people.pat, opened.requestId).then(
    () => null,
    (error: unknown) =>
      error instanceof Refused ? { status: error.status, code: error.code } : fail(error),
  );
  await vote(people.ana, opened.requestId);
  await vote(people.bo, opened.requestId);
  const automatic = await ask(people.pat, bad, planId, 'New gauge');
  stopwatch.lap('approved');

  progress('rollouts go ring by ring; the agents run apt');
  await finished(stage, opened.requestId);
  const badRollout = await finished(stage, automatic.requestId);
  stopwatch.lap('rolledOut');

  progress('reading the endpoints, the compliance and the trail');
  const after = await fleet.observe();
  const securityRequest = await requestOf(people.aud, opened.requestId);
  return {
    ...{ upgrades: fleet.upgrades, bad: fleet.bad, before, after, selfApproval, strangerStatus },
    patches,
    decisions: decisions.map((decision) => ({
      ...decision,
      unknownInputs: decision.inputs.filter(({ value }) => value === null).map(({ name }) => name),
    })),
    securityRequest: observed(securityRequest),
    badRequest: observed(await requestOf(people.aud, automatic.requestId)),
    justBefore: observed(await justBeforeFirstVote(people.aud, securityRequest)),
    badRolloutStatus: badRollout.status,
    badRingsOpened: badRollout.rings
      .filter(({ opened }) => opened !== undefined)
      .map(({ ring }) => ring),
    tickets: await ticketsOf(people.aud, badRollout.rolloutId),
    complianceBefore,
    complianceAfter: await complianceReaching(people.aud, security, fleet.endpoints.length),
    trail: await trailOf(people.aud, security),
  };
}

async function admitAndEnrol({ fleet, people, product }: Stage): Promise<void> {
  for (const source of [...fleet.sources, fleet.bad.source]) await admit(people.pat, source);
  for (const endpoint of fleet.endpoints) {
    const { body } = await people.pat.post<{ token: string }>('/v1/enrolment-tokens', {
      attributes: {
        department: endpoint.department,
        environment: endpoint.environment,
        businessImpact: 'high',
        exposure: 'controlled',
        labels: { ring: endpoint.ring },
      },
      ttlSeconds: 3_600,
    });
    await fleet.startAgent(endpoint, product.url, body.token);
  }
}

async function admit(pat: Client, source: DemoSource): Promise<void> {
  const { body } = await pat.post<{ sourceId: string }>('/v1/package-sources', source);
  await pat.post(`/v1/package-sources/${body.sourceId}/syncs`, {});
}

/** An agent that nobody enrolled must learn nothing. */
async function askAsStranger(url: string): Promise<number> {
  const id = '00000000-0000-4000-8000-000000000000';
  const response = await fetch(`${url}/v1/agents/${id}/lease`, {
    method: 'PUT',
    headers: {
      authorization: `Bearer ptep_${id}_${'A'.repeat(43)}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ busyWith: null }),
  });
  return response.status;
}

/** The patches of the upgrades on offer, once every endpoint has been seen to miss them. */
async function discovered({ fleet, people }: Stage): Promise<readonly PatchAnswer[]> {
  const wanted: readonly Upgrade[] = [...fleet.upgrades, fleet.bad];
  return until('the patches on offer', DISCOVERY_MS_MAX, async () => {
    const { body } = await people.aud.get<Screen<Listed<PatchAnswer>>>('/v1/patches?page_size=500');
    const found = wanted.flatMap((upgrade) =>
      body.data.items.filter(
        (patch) =>
          patch.sourcePackage === upgrade.sourcePackage &&
          patch.sourceVersion === upgrade.sourceVersion,
      ),
    );
    if (found.length < wanted.length) return null;
    const counts = await Promise.all(found.map((patch) => compliance(people.aud, patch)));
    return counts.every(({ denominator }) => denominator === fleet.endpoints.length) ? found : null;
  });
}

async function prioritized(
  aud: Client,
  patches: readonly PatchAnswer[],
): Promise<readonly DecisionAnswer[]> {
  return until('a priority for every patch', DISCOVERY_MS_MAX, async () => {
    const lists = await Promise.all(
      patches.map(({ patchId }) =>
        aud.get<Screen<Listed<DecisionAnswer>>>(`/v1/decisions?patchId=${patchId}`),
      ),
    );
    const items = lists.map(({ body }) => body.data.items);
    return items.every((list) => list.length > 0) ? items.flat() : null;
  });
}

async function definePlan(pat: Client): Promise<string> {
  const { body } = await pat.post<{ templateId: string }>('/v1/plan-templates', demoPlan);
  return body.templateId;
}

/** Asks until discovery's and prioritization's news have reached approval, which refuses before. */
async function ask(
  pat: Client,
  patches: readonly PatchAnswer[],
  planTemplateId: string,
  remark: string,
): Promise<RequestAnswer> {
  const patchIds = patches.map(({ patchId }) => patchId);
  const wish = { patchIds, scope: {}, planTemplateId, remark };
  return until('approval to know the patches', DISCOVERY_MS_MAX, async () => {
    try {
      return (await pat.post<RequestAnswer>('/v1/approval-requests', wish)).body;
    } catch (error) {
      if (error instanceof Refused && error.status < 500 && error.status !== 400) return null;
      throw error;
    }
  });
}

async function vote(person: Client, requestId: string): Promise<void> {
  const { body, etag } = await person.get<Screen<RequestAnswer>>(
    `/v1/approval-requests/${requestId}`,
  );
  await person.post(
    `/v1/approval-requests/${requestId}/decisions`,
    { verdict: 'approve', changeDigest: body.data.changeDigest, remark: 'Read and agreed.' },
    etag ?? '*',
  );
}

const ENDED = new Set([
  'completed',
  'completed-with-exceptions',
  'rolled-back',
  'rollback-failed',
  'cancelled',
]);

async function finished({ people, progress }: Stage, requestId: string): Promise<RolloutAnswer> {
  let last = '';
  return until('the rollout to end', ROLLOUT_MS_MAX, async () => {
    const { body } = await people.aud.get<Screen<Listed<RolloutAnswer>>>(
      `/v1/rollouts?requestId=${requestId}`,
    );
    const [listed] = body.data.items;
    if (listed === undefined) return null;
    const rollout = await people.aud.get<Screen<RolloutAnswer>>(`/v1/rollouts/${listed.rolloutId}`);
    const { status, rings } = rollout.body.data;
    const line = `rollout ${listed.rolloutId.slice(0, 8)} ${status}: ${rings.map(ringLine).join(' | ')}`;
    if (line !== last) progress(line);
    last = line;
    return ENDED.has(status) ? rollout.body.data : null;
  });
}

function ringLine({ ring, phase, states }: RolloutAnswer['rings'][number]): string {
  const counts = Object.entries(states).map(([state, count]) => `${String(count)} ${state}`);
  return `${ring} ${phase}${counts.length === 0 ? '' : ` (${counts.join(', ')})`}`;
}

async function requestOf(aud: Client, id: string, asOf?: string): Promise<RequestAnswer> {
  const query = asOf === undefined ? '' : `?as_of=${encodeURIComponent(asOf)}`;
  return (await aud.get<Screen<RequestAnswer>>(`/v1/approval-requests/${id}${query}`)).body.data;
}

/** One millisecond before the first vote was cast. */
function justBeforeFirstVote(aud: Client, request: RequestAnswer): Promise<RequestAnswer> {
  const first = request.votes[0]?.at ?? fail('the request has no vote');
  return requestOf(aud, request.requestId, new Date(Date.parse(first) - 1).toISOString());
}

function observed(request: RequestAnswer): ObservedRequest {
  const { status, requestedBy, votes, stages, policy } = request;
  const approvedBy = votes.filter(({ verdict }) => verdict === 'approve').map(({ by }) => by);
  const grantedBy = status !== 'granted' ? null : stages.length === 0 ? 'policy' : 'people';
  return { status, requestedBy, approvedBy, grantedBy, reason: policy.reason };
}

async function ticketsOf(aud: Client, rolloutId: string) {
  return until('the failure ticket', DISCOVERY_MS_MAX, async () => {
    const path = `/v1/failure-tickets?rolloutId=${rolloutId}`;
    const { items } = (await aud.get<Screen<TicketsAnswer>>(path)).body.data;
    return items.length === 0 ? null : items.map(({ ticket }) => ticket);
  });
}

async function compliance(aud: Client, { patchId }: PatchAnswer): Promise<ObservedCompliance> {
  const path = `/v1/compliance?patchId=${patchId}`;
  return (await aud.get<Screen<ComplianceAnswer>>(path)).body.data.totals;
}

async function settledCompliance(
  aud: Client,
  patches: readonly PatchAnswer[],
  endpointCount: number,
  numerator = 0,
): Promise<ObservedCompliance> {
  const deadlineMs = 60_000;
  const wanted = patches.length * endpointCount;
  return until(`compliance of ${String(wanted)} pairs`, deadlineMs, async () => {
    const figures = await Promise.all(patches.map((patch) => compliance(aud, patch)));
    const sum = (key: keyof ObservedCompliance) =>
      figures.reduce((total, figure) => total + figure[key], 0);
    if (sum('denominator') !== wanted || sum('numerator') < numerator) return null;
    return {
      numerator: sum('numerator'),
      denominator: sum('denominator'),
      population: sum('population'),
    };
  });
}

/** The agents' last inventories are still on their way when a rollout has ended. */
function complianceReaching(aud: Client, patches: readonly PatchAnswer[], endpointCount: number) {
  return settledCompliance(aud, patches, endpointCount, patches.length * endpointCount);
}

async function trailOf(aud: Client, patches: readonly PatchAnswer[]): Promise<readonly string[]> {
  const patchId = patches[0]?.patchId ?? fail('no security patch was found');
  return until('the end of the trail', DISCOVERY_MS_MAX, async () => {
    const path = `/v1/patch-trails/${patchId}?page_size=500`;
    const { items } = (await aud.get<Screen<TrailAnswer>>(path)).body.data;
    const types = items.map(({ type }) => type.split('.').at(-2) ?? type);
    return types.includes('RolloutClosed') ? types : null;
  });
}

function fail(cause: unknown): never {
  throw cause instanceof Error ? cause : new Error(String(cause));
}
