import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { type Collector, startCollector } from '@patchtrail/telemetry/collector';
import { eventually } from '@patchtrail/testing';
import { missingOwnKafka } from '@patchtrail/testing/kafka';
import { lane } from '@patchtrail/testing/lane';
import type { Product } from '../product.suite.js';
import {
  approve,
  missedPatches,
  openWorld,
  requestRollout,
  untilRollout,
  type World,
} from '../rollouts.suite.js';
import { UNTIL_INPUT_ENDS } from '../until-input-ends.js';
import { killChild, processesOf } from './processes.suite.js';

const STACK = 'stack/main.ts';
const DEADLINE_MS = 600_000;
const SLOW = { deadlineMs: 60_000, everyMs: 100 };

/** 0 where there was no answer. */
async function statusOf(url: URL): Promise<number> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}

/** Every status that was answered while the work was done. */
async function statusesDuring(work: () => Promise<unknown>, url: URL): Promise<readonly number[]> {
  const ending = new AbortController();
  const statuses = new Set<number>();
  const watch = async () => {
    while (!ending.signal.aborted) {
      statuses.add(await statusOf(url));
      await pause(20);
    }
  };
  const watching = watch();
  try {
    await work();
  } finally {
    ending.abort();
    await watching;
  }
  return [...statuses];
}

/** All replicas, in the eyes of the front door. */
async function isReady({ url }: Product): Promise<void> {
  const health: unknown = await (await fetch(new URL('/health/ready', url))).json();
  expect(health).toMatchObject({ ok: true });
  expect(JSON.stringify(health)).not.toContain('"ok":false');
  expect(JSON.stringify(health).match(/"service":"deployment"/g)).toHaveLength(2);
}

lane('the stack', await missingOwnKafka(), () => {
  let world: World;
  let collector: Collector;
  beforeAll(async () => {
    collector = await startCollector();
    world = await openWorld({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  });
  afterEach(() => world.endAll());
  afterAll(async () => {
    await world.close();
    await collector.close();
  });

  /** The processes that agents have asked for a lease. */
  const askedForLeases = (): ReadonlySet<string | undefined> => {
    const isLease = ({ name }: { name: string }) => name.endsWith('/agents/:endpointId/lease');
    const asked = collector.spans().filter(isLease);
    return new Set(asked.map(({ attributes }) => attributes.get('service.instance.id')));
  };

  const census = async (): Promise<Record<string, number>> => {
    const kinds = (await processesOf(world.dataDir)).map(({ what }) => what);
    return Object.fromEntries(
      [...new Set(kinds)].map((kind) => [kind, kinds.filter((one) => one === kind).length]),
    );
  };

  /** Agents come to both replicas, and a rollout completes, whatever is killed meanwhile. */
  const worksWhileKilled = async (product: Product) => {
    const machines = await world.enrol(product, 'all', ['pilot', 'broad', 'broad', 'broad']);
    const people = await world.people(product);
    await eventually(() => expect(askedForLeases().size).toBe(2), SLOW);
    const patchIds = await missedPatches(people, machines);
    const requestId = await requestRollout(people, 'all', patchIds, 0);

    await approve(people, requestId);
    const work = async () => {
      await killChild(product.script, 'deployment-1');
      await eventually(() => isReady(product), SLOW);
      await killChild(product.script, 'deployment-2');
      await untilRollout(people, requestId, ({ status }) => status === 'completed');
    };
    const document = new URL('/openapi/deployment.json', product.url);
    expect(await statusesDuring(work, document)).toEqual([200]);
    for (const { history } of machines) {
      expect([...(await history()).matchAll(/^Start-Date/gm)]).toHaveLength(1);
    }

    // The only replica of its service.
    await killChild(product.script, 'discovery-1');
    await eventually(() => isReady(product), SLOW);
    await people.aud.get('/v1/package-sources');
    await Promise.all(machines.map(({ agent }) => agent.kill()));
  };

  const leavesNothing = async (product: Product, signal: NodeJS.Signals) => {
    // The stack and PostgreSQL's host beside the six; the broker between two shells.
    expect(await census()).toMatchObject({
      node: 8,
      java: 1,
      sh: 2,
      postgres: expect.any(Number),
    });
    const exit = await product.script.kill(signal);
    const isKill = signal === 'SIGKILL';
    expect(exit).toEqual({ code: isKill ? null : 0, signal: isKill ? signal : null });
    await eventually(async () => expect(await census()).toEqual({}), SLOW);
  };

  /** Nothing starts Kafka or PostgreSQL again: what works on them would not find them. */
  const endsWithItsBroker = async (product: Product) => {
    const found = await processesOf(world.dataDir);
    process.kill(found.find(({ what }) => what === 'java')?.pid ?? 0, 'SIGKILL');
    expect(await product.script.exited).toEqual({ code: 1, signal: null });
    expect(product.script.errors()).toMatch(/Kafka's process ended: \S+broker\.log says why/);
    expect(await census()).toEqual({});
  };

  // In one, for a stack takes long to start.
  it(
    'goes on while processes are killed, leaves nothing running however it ends, and finds its data',
    async () => {
      let product = await world.start(STACK, UNTIL_INPUT_ENDS);
      await worksWhileKilled(product);

      const { pat } = await world.people(product);
      const group = { name: 'Kept', selector: { attributes: { department: 'Finance' } } };
      const { body: made } = await pat.post<{ groupId: string }>('/v1/device-groups', group);
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGKILL'] as const) {
        await leavesNothing(product, signal);
        product = await world.start(STACK, UNTIL_INPUT_ENDS);
        const { aud } = await world.people(product);
        const { body } = await aud.get(`/v1/device-groups/${made.groupId}`);
        expect(body).toMatchObject({ data: { name: 'Kept' } });
      }
      await endsWithItsBroker(product);
    },
    DEADLINE_MS,
  );
});
