import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import type { CloudEvent } from '@patchtrail/contracts';
import { createMemoryEventStore, projectionMigrations, runReaction } from '@patchtrail/event-store';
import {
  type Apply,
  type Bus,
  BusRefusal,
  consume,
  messagingMigrations,
  runOutboxRelay,
} from '@patchtrail/messaging';
import { type Database, openDatabase } from '@patchtrail/postgres';
import {
  eventually,
  exampleMessage,
  freshDatabase,
  type FreshDatabase,
  silentLog,
} from '@patchtrail/testing';
import { discovery } from '@patchtrail/contracts';
import { randomUUID } from 'node:crypto';
import {
  accessProviders,
  createHttpApp,
  createLogger,
  type HttpApp,
  idempotencyMigration,
  PARKED_SOURCES,
  parkedMessagesController,
  parkedReplaysMigration,
  type ParkedSources,
} from '../index.js';
import { as, assertProblem, at, key, verifyToken } from './things.fixture.js';

@Module({})
class SpecModule {}

const GROUP = 'spec.effects';
const STREAM = 'thing-1';
const ENGINEER = 'platform-engineer';

describe('parked messages', () => {
  let fresh: FreshDatabase;
  let db: Database;
  let app: HttpApp;
  let url: string;
  let stop: AbortController;
  let running: Promise<unknown>[];
  /** What fails, and what has been done: by the reason of a message, or the revision of an event. */
  let broken: Set<string>;
  let done: string[];
  const store = createMemoryEventStore();

  const reasonOf = (message: CloudEvent) => String(at(message.data, 'reason'));
  const act = (what: string) => {
    if (broken.has(what)) return Promise.reject(new Error(`no ${what}`));
    done.push(what);
    return Promise.resolve();
  };
  const apply: Apply = (_tx, message) => act(reasonOf(message));
  const react = (event: { revision: number }) => act(`r${String(event.revision)}`);
  const publish: Bus['publish'] = (_topic, messages) => {
    for (const message of messages) {
      if (broken.has(reasonOf(message))) {
        return Promise.reject(new BusRefusal('message-too-large', 'data', 'it is too large'));
      }
      done.push(reasonOf(message));
    }
    return Promise.resolve();
  };

  beforeEach(async () => {
    fresh = await freshDatabase('parked');
    db = await openDatabase({
      url: fresh.url,
      applicationName: 'spec',
      migrations: [
        ...messagingMigrations,
        ...projectionMigrations,
        idempotencyMigration,
        parkedReplaysMigration,
      ],
    });
    const streams = { store, reactions: { 'spec.react': react } };
    const parked: ParkedSources = { db, consumers: { [GROUP]: apply }, streams };
    const module = {
      module: SpecModule,
      controllers: [parkedMessagesController('spec')],
      providers: [
        ...accessProviders({ verifyToken }),
        { provide: PARKED_SOURCES, useValue: parked },
      ],
    };
    app = await createHttpApp({
      modules: [module],
      docs: [{ name: 'spec', title: 'Spec', module }],
      log: createLogger('spec', 'silent'),
      checkAnswers: true,
    });
    url = await app.listen(0, '127.0.0.1');
    stop = new AbortController();
    running = [];
    [broken, done] = [new Set(), []];
  });
  afterEach(async () => {
    stop.abort();
    await Promise.all(running);
    await app.close();
    await db.close();
    await fresh.drop();
  });

  const ask = async (method: string, path: string, headers: object, body?: unknown) => {
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await fetch(`${url}/v1/spec/parked-messages${path}`, {
      method,
      headers: { ...type, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answered: unknown = await response.json();
    return { status: response.status, headers: response.headers, body: answered };
  };
  const list = async (query = '') => {
    const answer = await ask('GET', query, as('auditor'));
    expect(answer.status).toBe(200);
    return answer.body;
  };
  const items = async () => {
    const found = at(await list(), 'data', 'items');
    return Array.isArray(found) ? (found as Readonly<Record<string, unknown>>[]) : [];
  };
  const replay = (id: string, headers: object = key(), body: unknown = { remark: 'repaired' }) =>
    ask('POST', `/${id}/replays`, { ...as(ENGINEER), ...headers }, body);

  const message = (partitionkey: string, reason: string) => ({
    ...exampleMessage(discovery.EndpointRetired, randomUUID(), {
      endpointId: randomUUID(),
      reason,
    }),
    partitionkey,
  });
  /** Messages of one key delivered to a consumer; those whose reason is broken are parked. */
  const deliver = async (of: string, ...reasons: readonly string[]) => {
    const bus = {
      run: async ({ handle }: Parameters<Bus['run']>[0]) => {
        for (const [n, reason] of reasons.entries()) {
          const { topic } = discovery.EndpointRetired;
          await handle({ topic, partition: 3, offset: BigInt(n), message: message(of, reason) });
        }
      },
    };
    await consume({
      ...{ db, group: GROUP, topics: [], apply, signal: stop.signal, log: silentLog },
      bus: { ...unusedBus, ...bus },
      retryDelaysMs: [],
    }).done;
  };
  const unusedBus: Bus = {
    publish: () => Promise.resolve(),
    ensureTopic: () => Promise.resolve(),
    run: () => Promise.resolve(),
    lag: () => Promise.resolve(0n),
    rewind: () => Promise.resolve(),
  };
  const relay = () => {
    const pace = { pollMs: 10 };
    const options = {
      db,
      bus: { publish },
      signal: stop.signal,
      log: silentLog,
      name: 'spec',
      pace,
    };
    running.push(runOutboxRelay(options).done);
  };
  const enqueue = async (of: string, reason: string) => {
    await db.run('INSERT INTO outbox (topic, key, message) VALUES ($1, $2, $3::json)', [
      discovery.EndpointRetired.topic,
      of,
      JSON.stringify(message(of, reason)),
    ]);
  };

  it('shows what is parked, without what it holds, and one with it', async () => {
    broken.add('poison');
    await deliver('k', 'poison', 'behind');
    const parked = await items();
    expect(parked).toMatchObject([
      {
        ...{ id: 'message-1', kind: 'message', owner: GROUP, key: 'k', partition: 3, offset: '0' },
        ...{ type: discovery.EndpointRetired.type, topic: discovery.EndpointRetired.topic },
        ...{ code: 'unexpected', cause: 'Error: no poison', tries: 1, revision: null },
      },
      { id: 'message-2', offset: '1', code: null, cause: null, tries: 0, triedAt: null },
    ]);
    expect(parked[0]).not.toHaveProperty('payload');
    const { body } = await ask('GET', '/message-1', as('auditor'));
    expect(at(body, 'data')).toMatchObject({
      id: 'message-1',
      payload: { partitionkey: 'k', data: { reason: 'poison' } },
    });
  });

  it('replays the key of a message in order, once, and keeps who and why', async () => {
    broken.add('poison');
    await deliver('k', 'poison', 'behind');
    await deliver('other', 'poison');
    broken.clear();
    const answer = await replay('message-2');
    expect(answer).toMatchObject({
      status: 200,
      body: { itemId: 'message-2', owner: GROUP, key: 'k', replayed: 2, waiting: 0, cause: null },
    });
    expect(done).toEqual(['poison', 'behind']);
    const again = await replay('message-2');
    expect(again.body).toEqual(answer.body);
    expect(done).toHaveLength(2);
    expect(await items()).toMatchObject([{ id: 'message-3', key: 'other' }]);
    expect(at(await list(), 'data', 'replays')).toEqual([answer.body]);
    expect(answer.body).toMatchObject({ askedBy: ENGINEER, remark: 'repaired' });
  });

  it('says what still fails, and loses nothing', async () => {
    broken.add('poison');
    await deliver('k', 'poison', 'behind');
    const answer = await replay('message-1');
    assertProblem(answer, 409, 'still-failing', {
      detail: 'It failed again and stays parked: Error: no poison',
    });
    assertProblem(await replay('message-1'), 409, 'still-failing');
    expect(await items()).toMatchObject([{ id: 'message-1', tries: 2 }, { id: 'message-2' }]);
    expect(at(await list(), 'data', 'replays')).toMatchObject([
      { itemId: 'message-1', cause: 'Error: no poison', replayed: null },
    ]);
    broken.clear();
    expect(await replay('message-1', key('k-2'))).toMatchObject({ status: 200 });
    expect(await items()).toEqual([]);
  });

  it('replays what the relay has parked', async () => {
    broken.add('large');
    await enqueue('k', 'large');
    await enqueue('k', 'behind');
    relay();
    await eventually(async () =>
      expect(await items()).toMatchObject([
        { id: 'outbox-1', owner: 'relay', key: 'k', code: 'message-too-large', tries: 1 },
        { id: 'outbox-2', code: null, cause: null },
      ]),
    );
    assertProblem(await replay('outbox-2'), 409, 'still-failing', {
      detail: expect.stringMatching(/message-too-large: data: it is too large/),
    });
    expect(done).toEqual([]);
    broken.clear();
    expect(await replay('outbox-1', key('k-2'))).toMatchObject({
      status: 200,
      body: { replayed: 2, waiting: 0 },
    });
    expect(done).toEqual(['large', 'behind']);
  });

  it('replays what a reaction has parked', async () => {
    broken.add('r0');
    const metadata = {
      ...{ schemaVersion: 1, commandId: randomUUID(), $correlationId: 'c', $causationId: 'c' },
      ...{ actor: 'pat', occurredAt: '2026-11-21T09:00:00Z', traceparent: 'none' },
    };
    const events = [0, 1].map((n) => ({ id: randomUUID(), type: 'Done', data: { n }, metadata }));
    await store.append(STREAM, 'no-stream', events);
    const reaction = runReaction({
      ...{ store, db, react, name: 'spec.react', prefixes: ['thing-'], log: silentLog },
      signal: stop.signal,
      judge: () => 'hopeless',
    });
    running.push(reaction.done);
    await eventually(async () =>
      expect(await items()).toMatchObject([
        { id: 'event-1', owner: 'spec.react', key: STREAM, revision: 0, cause: 'Error: no r0' },
        { id: 'event-2', revision: 1, cause: null, topic: null },
      ]),
    );
    const { body } = await ask('GET', '/event-2', as(ENGINEER));
    expect(at(body, 'data', 'payload')).toMatchObject({ stream: STREAM, data: { n: 1 } });
    broken.clear();
    expect(await replay('event-1')).toMatchObject({ status: 200, body: { replayed: 2 } });
    expect(done).toEqual(['r0', 'r1']);
  });

  it('gives the parked page by page, of all kinds', async () => {
    broken.add('poison');
    await deliver('k', 'poison', 'behind', 'last');
    await enqueue('k', 'poison');
    relay();
    await eventually(async () => expect(await items()).toHaveLength(4));
    const seen: unknown[] = [];
    let next: unknown = '';
    while (typeof next === 'string') {
      const page = await list(`?page_size=2${next === '' ? '' : `&page_token=${next}`}`);
      const some = at(page, 'data', 'items');
      if (Array.isArray(some)) seen.push(...some.map((item) => at(item, 'id')));
      next = at(page, 'data', 'nextPageToken');
    }
    expect(seen).toEqual(['message-1', 'message-2', 'message-3', 'outbox-1']);
  });

  it.each([
    ['GET', '', 'approver', 403, 'forbidden'],
    ['GET', '/message-1', 'approver', 403, 'forbidden'],
    ['POST', '/message-1/replays', 'auditor', 403, 'forbidden'],
    ['GET', '/message-9', ENGINEER, 404, 'not-found'],
    ['GET', '/message-0', ENGINEER, 400, 'invalid-request'],
    ['POST', '/outbox-9/replays', ENGINEER, 404, 'not-found'],
    ['POST', '/everything/replays', ENGINEER, 400, 'invalid-request'],
  ])('%s %s by %s is refused (%d %s)', async (method, path, role, status, code) => {
    const body = method === 'POST' ? { remark: 'why not' } : undefined;
    assertProblem(await ask(method, path, { ...as(role), ...key() }, body), status, code);
    expect(at(await list(), 'data', 'replays')).toEqual([]);
  });

  it('wants a key and a remark, and the same request for the same key', async () => {
    broken.add('poison');
    await deliver('k', 'poison');
    assertProblem(await replay('message-1', {}), 400, 'idempotency-key-required');
    assertProblem(await replay('message-1', key(), {}), 400, 'invalid-request', {
      errors: [{ field: 'remark', rule: expect.any(String) }],
    });
    assertProblem(await replay('message-1'), 409, 'still-failing');
    const other = await replay('message-1', key(), { remark: 'another' });
    assertProblem(other, 422, 'idempotency-key-reused');
  });

  it('does not replay for an owner that is gone', async () => {
    broken.add('poison');
    await deliver('k', 'poison');
    await db.run("UPDATE parked_messages SET consumer_group = 'spec.gone'");
    assertProblem(await replay('message-1'), 409, 'still-failing', {
      detail: expect.stringMatching(/nothing named spec.gone/),
    });
    expect(await items()).toHaveLength(1);
  });
});
