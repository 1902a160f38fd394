/** @jest-environment-options {"customExportConditions":["@patchtrail/source","node","node-addons"]} */
import { eventually } from '@patchtrail/testing';
import { type EventStoreDbDouble, startEventStoreDb } from '@patchtrail/testing/eventstoredb';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { EventStore, Position, SubscriptionItem } from '../event-store.js';
import { createTestLog } from '../log.suite.js';
import { eventsIn, follow, freshPrefix, freshStream, newEvents } from '../test-events.suite.js';
import { NoAnswer } from './answers.js';
import { openEventStoreDb } from './eventstoredb-event-store.js';
import { onTheDouble, openOnDouble, type Opened, SHORT_LIMITS } from './test-server.suite.js';

onTheDouble('event store: eventstoredb, when the server misbehaves (double only)', () => {
  let opened: Opened;
  let store: EventStore;
  let double: EventStoreDbDouble;
  beforeEach(async () => {
    const fresh = await openOnDouble({}, SHORT_LIMITS);
    ({ store, double } = fresh);
    opened = fresh;
  });
  const patients: { close: () => Promise<void> }[] = [];
  afterEach(async () => {
    for (const patient of patients.splice(0)) await patient.close();
    await opened.close();
  });

  /** With the limits of the product, for what a busy host takes long to do. */
  const openPatient = async () => {
    const patient = await openEventStoreDb({ url: opened.url, log: createTestLog() });
    patients.push(patient);
    return patient;
  };
  const idsIn = async (stream: string) => (await store.read(stream)).map(({ id }) => id);
  const REFUSALS = ['not-leader', 'unavailable', 'not-ready', 'timeout'] as const;

  describe('one client in the process', () => {
    it('is shared by the stores of one URL, until the last is closed', async () => {
      const log = createTestLog();
      const second = await openEventStoreDb({ url: opened.url, log });
      expect((await double.control.state()).open.connection).toBe(1);
      await second.close();
      await second.close();
      await expect(second.head()).rejects.toThrow('closed');
      await store.append(freshStream(), 'no-stream', newEvents(1));
      expect((await double.control.state()).open.connection).toBe(1);
      await opened.close();
      await eventually(async () => {
        expect((await double.control.state()).open.connection).toBe(0);
      });
    });

    it('is refused to the store of another URL, while it is open', async () => {
      const other = await startEventStoreDb();
      const log = createTestLog();
      const refused = openEventStoreDb({ url: other.connectionString, log });
      await expect(refused).rejects.toThrow('a process holds one client');
      await opened.close();
      const store = await openEventStoreDb({ url: other.connectionString, log });
      await store.close();
      await other.stop();
    });
  });

  describe('an append', () => {
    it.each([
      ['silence', true],
      ['end', true],
      ['drop', true],
      ['unavailable', true],
      ['silence', false],
      ['drop', false],
    ] as const)(
      'whose answer is lost by %s (committed: %s) happens once',
      async (by, committed) => {
        const stream = freshStream();
        const events = newEvents(3);
        await double.control.loseAppends({ appends: 1, committed, by });
        const result = await store.append(stream, 'no-stream', events);
        const stored = await store.read(stream);
        expect(stored.map(({ id }) => id)).toEqual(events.map(({ id }) => id));
        expect(result).toEqual({ revision: 2, position: stored[2]?.position });
      },
    );

    it('is told of a conflict that came while its first answer was lost', async () => {
      const stream = freshStream();
      await double.control.loseAppends({ appends: 1, committed: false, by: 'silence' });
      const [late, first] = [newEvents(1), newEvents(1)];
      const outcomes = await Promise.allSettled([
        store.append(stream, 'no-stream', late),
        store.append(stream, 'no-stream', first),
      ]);
      expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(await idsIn(stream)).toHaveLength(1);
    });

    it('is given up at its deadline, and its outcome is then unknown', async () => {
      const started = Date.now();
      await double.control.hang({ on: true });
      const refused = store.append(freshStream(), 'no-stream', newEvents(1));
      await expect(refused).rejects.toThrow(NoAnswer);
      const took = Date.now() - started;
      expect(took).toBeLessThan(SHORT_LIMITS.totalMs + 1_000);
      await double.control.hang({ on: false });
    });

    it('is tried a bounded number of times', async () => {
      const stream = freshStream();
      await double.control.refuseCalls({ calls: 1_000, as: 'unavailable' });
      await expect(store.append(stream, 'no-stream', newEvents(1))).rejects.toThrow(
        `after ${SHORT_LIMITS.triesMax} tries`,
      );
      await double.control.behave();
      expect(await idsIn(stream)).toEqual([]);
    });

    it('survives with many others the loss of the connection', async () => {
      const patient = await openPatient();
      const appends = Array.from({ length: 64 }, (_, n) => {
        const appended = patient.append(freshStream(), 'no-stream', newEvents(20));
        return n % 16 === 8 ? double.control.dropConnections().then(() => appended) : appended;
      });
      const results = await Promise.all(appends);
      expect(results.map(({ revision }) => revision)).toEqual(results.map(() => 19));
    });

    it('survives that another node takes the lead and the old one goes', async () => {
      const next = await startEventStoreDb();
      const { host, port } = next;
      await double.control.delayReplies({ ms: 60_000 });
      const before = store.append(freshStream(), 'no-stream', newEvents(1));
      await eventually(async () => {
        expect((await double.control.state()).counts.appends).toBeGreaterThan(1);
      });
      await double.control.refuseCalls({ calls: 1, as: 'not-leader', leader: { host, port } });
      await next.control.delayReplies({ ms: 200 });
      // Sends the calls that follow to the next node, while the first append waits for its answer.
      await store.read(freshStream());
      const after = store.append(freshStream(), 'no-stream', newEvents(1));
      await eventually(async () => {
        expect((await next.control.state()).counts.appends).toBeGreaterThan(0);
      });
      await double.control.dropConnections();
      expect(await Promise.all([before, after])).toMatchObject([{ revision: 0 }, { revision: 0 }]);
      await next.stop();
    });

    it('opens no stream that appends share', async () => {
      await store.append(freshStream(), 'no-stream', newEvents(1));
      expect((await double.control.state()).open.batch).toBe(0);
    });

    it('is refused by a server that allows less than 1 MiB', async () => {
      await opened.close();
      const small = await openOnDouble({ maxAppendSizeBytes: 2_000 });
      const refused = small.store.append(freshStream(), 'no-stream', newEvents(50));
      await expect(refused).rejects.toMatchObject({ name: 'AppendTooLarge' });
      await small.close();
    });
  });

  describe.each(REFUSALS)('refused as %s', (as) => {
    it.each<[string, (stream: string) => Promise<unknown>]>([
      ['append', (stream) => store.append(stream, 0, newEvents(1))],
      ['read', (stream) => store.read(stream)],
      ['readAll', () => store.readAll()],
      ['head', () => store.head()],
      ['identity', () => store.identity()],
    ])('%s is run again', async (_, work) => {
      const stream = freshStream();
      await store.append(stream, 'no-stream', newEvents(1));
      await double.control.refuseCalls({ calls: 2, as });
      await expect(work(stream)).resolves.toBeTruthy();
    });

    it('a subscription ends without an error and is resumed by its reader', async () => {
      const prefix = freshPrefix();
      await store.append(freshStream(prefix), 'no-stream', newEvents(3));
      await double.control.refuseCalls({ calls: 1, as });
      const items = await follow(
        { store, prefixes: [prefix], after: null },
        (seen) => eventsIn(seen).length === 3,
      );
      expect(eventsIn(items)).toHaveLength(3);
    });
  });

  describe('a read', () => {
    it('is called off when the server keeps silent, and run again', async () => {
      const stream = freshStream();
      await store.append(stream, 'no-stream', newEvents(2));
      await double.control.hang({ on: true });
      await expect(store.read(stream)).rejects.toThrow(NoAnswer);
      await double.control.hang({ on: false });
      expect(await store.read(stream)).toHaveLength(2);
    });

    it('leaves no call behind when it is called off', async () => {
      await double.control.delayReplies({ ms: 60_000 });
      await expect(store.read(freshStream())).rejects.toThrow(NoAnswer);
      await eventually(async () => {
        expect((await double.control.state()).open.read).toBe(0);
      });
    });

    it('outlasts a restart of the server', async () => {
      const stream = freshStream();
      await store.append(stream, 'no-stream', newEvents(2));
      const restarted = double.control.restart({ downMs: 200 });
      expect(await store.read(stream)).toHaveLength(2);
      await restarted;
      expect(await store.read(stream)).toHaveLength(2);
    });
  });

  describe('a subscription', () => {
    /** Reads in the background until the subscription ends. */
    const read = (prefixes: readonly string[], signal: AbortSignal) => {
      const items: SubscriptionItem[] = [];
      const ended = (async () => {
        for await (const item of store.subscribe({ after: null, prefixes, signal })) {
          items.push(item);
        }
      })();
      const isLive = () => eventually(() => expect(items.at(-1)?.kind).toBe('caught-up'));
      return { items, ended, isLive };
    };

    it.each<[string, () => Promise<unknown>]>([
      ['ends it cleanly', () => double.control.endCalls({ kind: 'subscription' })],
      ['drops the connection', () => double.control.dropConnections()],
      ['restarts', () => double.control.restart({ downMs: 50 })],
    ])('ends without an error when the server %s, and is resumed', async (_, fail) => {
      const prefix = freshPrefix();
      const signal = AbortSignal.timeout(20_000);
      const stream = freshStream(prefix);
      await store.append(stream, 'no-stream', newEvents(2));
      const { items, ended, isLive } = read([prefix], signal);
      await isLive();
      await fail();
      await ended;
      expect(signal.aborted).toBe(false);
      expect(opened.log.lines.map(({ level }) => level)).toContain('warn');
      await store.append(stream, 1, newEvents(1));
      const last = items.at(-1);
      const after = last?.kind === 'caught-up' ? last.position : null;
      const rest = await follow({ store, prefixes: [prefix], after }, (seen) => seen.length > 0);
      expect(eventsIn(rest).map(({ revision }) => revision)).toEqual([2]);
    });

    it('ends when it stands still in silence while there is an event', async () => {
      const prefix = freshPrefix();
      const signal = AbortSignal.timeout(20_000);
      const { items, ended, isLive } = read([prefix], signal);
      await isLive();
      await double.control.withholdEvents({ on: true });
      await store.append(freshStream(prefix), 'no-stream', newEvents(1));
      await ended;
      expect(signal.aborted).toBe(false);
      expect(eventsIn(items)).toEqual([]);
      expect(opened.log.lines.at(-1)?.fields['err']).toMatchObject({ name: 'Standstill' });
    });

    it('goes on in silence while there is nothing of its own', async () => {
      const prefix = freshPrefix();
      const stop = new AbortController();
      const { items, ended, isLive } = read([prefix], stop.signal);
      await isLive();
      await double.control.withholdEvents({ on: true });
      const { position } = await (
        await openPatient()
      ).append(freshStream(), 'no-stream', newEvents(300));
      await eventually(() => {
        const last = items.at(-1);
        expect(
          last?.kind === 'caught-up' && store.comparePositions(last.position, position) >= 0,
        ).toBe(true);
      });
      stop.abort();
      await ended;
      expect(eventsIn(items)).toEqual([]);
    });

    it('is told by checkpoints how far it has come, and need not read all that others wrote', async () => {
      const patient = await openPatient();
      const readsSoFar = async () => (await double.control.state()).counts.reads;
      let head: Position | null = null;
      let reads = 0;
      // While its reader is busy a subscription asks for nothing.
      await follow(
        { store: patient, prefixes: [freshPrefix()], after: null },
        (items) => {
          const last = items.at(-1);
          if (head === null || last?.kind !== 'caught-up') return false;
          return patient.comparePositions(last.position, head) >= 0;
        },
        async () => {
          if (head !== null) return;
          for (let n = 0; n < 20; n += 1) {
            await patient.append(freshStream(), 'no-stream', newEvents(500));
          }
          head = await patient.head();
          reads = await readsSoFar();
        },
      );
      // Without checkpoints it would take 10,000 / 256 reads.
      expect((await readsSoFar()) - reads).toBeLessThan(20);
    });

    it('takes no harm from messages out of turn', async () => {
      const prefix = freshPrefix();
      const stream = freshStream(prefix);
      await store.append(stream, 'no-stream', newEvents(1));
      const stop = new AbortController();
      const { items, ended, isLive } = read([prefix], stop.signal);
      await isLive();
      for (const message of ['fell-behind', 'caught-up', 'fell-behind'] as const) {
        expect(await double.control.tellSubscribers({ message })).toBe(1);
      }
      await store.append(stream, 0, newEvents(2));
      await eventually(() => expect(eventsIn(items)).toHaveLength(3));
      stop.abort();
      await ended;
    });

    it('ends with the store, and an error that comes after its reader left ends nothing', async () => {
      const prefix = freshPrefix();
      await (await openPatient()).append(freshStream(prefix), 'no-stream', newEvents(200));
      await patients.pop()?.close();
      const signal = AbortSignal.timeout(20_000);
      for await (const { kind } of store.subscribe({ after: null, prefixes: [prefix], signal })) {
        expect(kind).toBe('event');
        break;
      }
      await double.control.dropConnections();
      // A subscription would be dropped with the connection; this is asked again on the next one.
      await store.head();
      const { ended, isLive } = read([prefix], signal);
      await isLive();
      await opened.close();
      await ended;
      expect(signal.aborted).toBe(false);
    });

    it('never takes a place beyond everything for how far it has come', async () => {
      await opened.close();
      // This version tells so after having found nothing from the start on.
      const old = await openOnDouble({ version: '24.6.0' });
      const prefix = freshPrefix();
      const at = { store: old.store, prefixes: [prefix] };
      const first = await follow({ ...at, after: null }, (seen) => seen.length === 1);
      const [item] = first;
      const after = item?.kind === 'caught-up' ? item.position : null;
      expect(after).not.toBeNull();
      await old.store.append(freshStream(prefix), 'no-stream', newEvents(1));
      const rest = await follow({ ...at, after }, (seen) => seen.length === 1);
      expect(eventsIn(rest)).toHaveLength(1);
      await old.close();
    });
  });
});
