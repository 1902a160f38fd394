import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { eventually } from '../eventually.js';
import { collect, counted, failureOf, PATHS, reader, setting, several } from './client.suite.js';
import { steerEventStoreDb } from './control-channel.js';

const stored = async (on: ReturnType<typeof setting>) => {
  const events = await collect(on.client.readAll());
  return events.length;
};

/** `done`, the failure, or `pending` where there is neither within the time. */
async function within(promise: Promise<unknown>, ms = 300): Promise<unknown> {
  const over = new AbortController();
  const settled = promise.then(
    () => 'done',
    (failure: unknown) => failure,
  );
  const first = await Promise.race([
    settled,
    pause(ms, 'pending', { signal: over.signal }).catch(() => 'done'),
  ]);
  over.abort();
  return first;
}

describe('calls that the server ends without an error', () => {
  const on = setting();

  it('leave a subscription ended, not failed, and the position to go on from', async () => {
    await on.client.appendToStream('counter-1', several(1));
    const next = reader(on.client.subscribeToAll());
    const [seen] = await next(1);
    expect(await on.double.control.endCalls({ kind: 'subscription' })).toBe(1);
    expect(await failureOf(next(1))).toEqual(new Error('Ended after 0 of 1 events.'));
    await on.client.appendToStream('counter-1', [counted(1)]);
    const fromPosition = seen?.position ?? { commit: 0n, prepare: 0n };
    const again = on.client.subscribeToAll({ fromPosition });
    expect((await reader(again)(1))[0]?.data).toEqual({ n: 1 });
  });

  it('cut a read short', async () => {
    await on.client.appendToStream('counter-1', several(5_000));
    const reading = on.client.readAll();
    let seen = 0;
    for await (const { event } of reading) {
      seen += event === undefined ? 0 : 1;
      if (seen === 1) expect(await on.double.control.endCalls({ kind: 'read' })).toBe(1);
    }
    expect(seen).toBeLessThan(5_000);
  });

  it('leave the client with a dead call for all its later appends', async () => {
    await on.client.appendToStream('counter-1', [counted(0)]);
    expect(await on.double.control.endCalls({ kind: 'batch' })).toBe(1);
    expect(await within(on.client.appendToStream('counter-1', [counted(1)]))).toBe('pending');
    await on.client.appendToStream('counter-1', [counted(2)], PATHS[1]?.[1]);
    expect((await on.double.control.state()).counts.appends).toBe(2);
  });
});

describe.each([true, false])('an append without an answer (committed: %s)', (committed) => {
  const on = setting();

  it.each(['silence', 'end'] as const)('by %s is never settled by the client', async (by) => {
    await on.client.appendToStream('other-1', [counted(0)]);
    await on.double.control.loseAppends({ appends: 1, committed, by });
    const append = on.client.appendToStream('counter-1', [counted(0)], { deadline: 100 });
    expect(await within(append)).toBe('pending');
    expect(await stored(on)).toBe(committed ? 2 : 1);
  });

  it.each([
    ['drop', 'unavailable'],
    ['unavailable', 'unavailable'],
    ['timeout', 'deadline-exceeded'],
  ] as const)('by %s is reported as %s', async (by, type) => {
    await on.double.control.loseAppends({ appends: 1, committed, by });
    const append = on.client.appendToStream('counter-1', [counted(0)]);
    expect(await failureOf(append)).toMatchObject({ type });
    expect(await stored(on)).toBe(committed ? 1 : 0);
  });

  it('can be repeated at its revision, and is there once', async () => {
    const event = counted(0);
    await on.double.control.loseAppends({ appends: 1, committed, by: 'unavailable' });
    const at = { expectedRevision: 'no_stream' } as const;
    await failureOf(on.client.appendToStream('counter-1', [event], at));
    const again = await on.client.appendToStream('counter-1', [event], at);
    expect(again.nextExpectedRevision).toBe(0n);
    expect(await stored(on)).toBe(1);
  });

  it.each([
    ['silence', 'deadline-exceeded'],
    ['end', 'cancelled'],
    ['drop', 'unavailable'],
    ['unavailable', 'unavailable'],
    ['timeout', 'timeout'],
  ] as const)('in a call of its own by %s is reported as %s', async (by, type) => {
    await on.double.control.loseAppends({ appends: 1, committed, by });
    const append = on.client.appendToStream('counter-1', [counted(0)], {
      ...PATHS[1]?.[1],
      deadline: 300,
    });
    expect(await failureOf(append)).toMatchObject({ type });
    expect(await stored(on)).toBe(committed ? 1 : 0);
  });
});

describe.each(PATHS)('an append refused before anything happens (%s)', (path, options) => {
  const on = setting();
  const append = () => on.client.appendToStream('counter-1', [counted(0)], options);

  it.each([
    ['not-leader', 'not-leader', 'not-leader'],
    ['unavailable', 'unavailable', 'unavailable'],
    ['not-ready', 'unknown', 'unavailable'],
    ['timeout', 'deadline-exceeded', 'timeout'],
  ] as const)('as %s is reported as that', async (as, inBatch, alone) => {
    await on.double.control.refuseCalls({ calls: 2, as });
    for (let call = 0; call < 2; call += 1)
      expect(await failureOf(append())).toMatchObject({
        type: path === 'batch' ? inBatch : alone,
      });
    expect(await append()).toMatchObject({ success: true, nextExpectedRevision: 0n });
  });

  it('as not-leader names the leader, where the client goes next', async () => {
    const leader = { host: '127.0.0.1', port: on.double.port };
    await on.double.control.refuseCalls({ calls: 1, as: 'not-leader', leader });
    expect(await failureOf(append())).toMatchObject({
      leader: { address: '127.0.0.1', port: on.double.port },
    });
    await append();
  });
});

describe('other calls refused before anything happens', () => {
  const on = setting();

  it.each([
    ['a read of a stream', () => collect(on.client.readStream('counter-1'))],
    ['a read of all', () => collect(on.client.readAll())],
    ['a subscription', () => collect(on.client.subscribeToAll())],
    ['a deletion', () => on.client.deleteStream('counter-1')],
    ['a tombstone', () => on.client.tombstoneStream('counter-1')],
  ] as const)('%s', async (_what, call) => {
    await on.client.appendToStream('counter-1', [counted(0)]);
    await on.double.control.refuseCalls({ calls: 1, as: 'not-leader' });
    expect(await failureOf(call())).toMatchObject({ type: 'not-leader' });
    await on.double.control.refuseCalls({ calls: 1, as: 'unavailable' });
    expect(await failureOf(call())).toMatchObject({ type: 'unavailable' });
    expect(await stored(on)).toBe(1);
  });
});

describe('a connection', () => {
  const on = setting();

  it('that is dropped fails what is open, and is made again', async () => {
    await on.client.appendToStream('counter-1', [counted(0)]);
    const subscription = on.client.subscribeToAll();
    const failed = new Promise((resolve) => subscription.once('error', resolve));
    await reader(subscription)(1);
    expect(await on.double.control.dropConnections()).toBe(1);
    expect(await failed).toMatchObject({ type: 'unavailable' });
    await eventually(() => on.client.appendToStream('counter-1', [counted(1)]));
    expect(await stored(on)).toBe(2);
  });

  it('that hangs answers nothing until it does again', async () => {
    await on.client.appendToStream('counter-1', [counted(0)]);
    await on.double.control.hang({ on: true });
    const append = on.client.appendToStream('counter-1', [counted(1)], { deadline: 100 });
    expect(await within(append)).toBe('pending');
    await on.double.control.hang({ on: false });
    // It reached the server after the deadline that it carries.
    expect(await failureOf(append)).toMatchObject({ type: 'deadline-exceeded' });
    expect(await stored(on)).toBe(1);
  });

  it('that is made while the server hangs is accepted and not answered', async () => {
    await on.double.control.hang({ on: true });
    const append = on.client.appendToStream('counter-1', [counted(0)], { deadline: 20_000 });
    expect(await within(append)).toBe('pending');
    expect((await on.double.control.state()).open.connection).toBe(1);
    await on.double.control.behave();
    await append;
  });

  it('answers later when told to', async () => {
    await on.client.appendToStream('counter-1', [counted(0)]);
    await on.double.control.delayReplies({ ms: 400 });
    const append = on.client.appendToStream('counter-1', [counted(1)]);
    expect(await within(append, 200)).toBe('pending');
    await on.double.control.behave();
    await append;
    expect(await within(on.client.appendToStream('counter-1', [counted(2)]), 200)).toBe('done');
  });
});

describe('a restart', () => {
  const on = setting();

  it('keeps data and port, and refuses connections meanwhile', async () => {
    await on.client.appendToStream('counter-1', several(2));
    const subscription = on.client.subscribeToAll();
    const failed = once(subscription, 'error').catch((failure: unknown) => failure);
    await reader(subscription)(2);
    const before = on.double.port;
    const from = performance.now();
    const restarted = on.double.control.restart({ downMs: 300 });
    await eventually(async () => {
      const append = on.client.appendToStream('counter-1', [counted(9)], { deadline: 200 });
      expect(await failureOf(append)).toMatchObject({ type: 'unavailable' });
    });
    await restarted;
    expect(performance.now() - from).toBeGreaterThan(290);
    await failed;
    expect(on.double.port).toBe(before);
    await eventually(async () => expect(await stored(on)).toBe(2));
    expect((await on.double.control.state()).open).toMatchObject({ batch: 0, subscription: 0 });
  });
});

describe('the control channel', () => {
  const on = setting();

  it('does over HTTP what the control object does', async () => {
    const remote = steerEventStoreDb(on.double.controlUrl);
    await on.client.appendToStream('counter-1', [counted(0)]);
    await remote.refuseCalls({ calls: 1, as: 'unavailable' });
    expect(await failureOf(collect(on.client.readAll()))).toMatchObject({ type: 'unavailable' });
    await remote.delayReplies({ ms: 10 });
    await remote.loseAppends({ appends: 1, committed: true, by: 'silence' });
    await remote.behave();
    await remote.refuseCredentials({ on: true });
    expect(await failureOf(collect(on.client.readAll()))).toMatchObject({ type: 'access-denied' });
    await remote.refuseCredentials({ on: false });
    const subscription = on.client.subscribeToAll();
    await reader(subscription)(1);
    expect(await remote.tellSubscribers({ message: 'fell-behind' })).toBe(1);
    expect(await remote.endCalls({ kind: 'subscription' })).toBe(1);
    await remote.hang({ on: true });
    await remote.hang({ on: false });
    await remote.restart({ downMs: 0 });
    expect(await remote.state()).toEqual(await on.double.control.state());
    expect(await remote.dropConnections()).toBeGreaterThanOrEqual(0);
  });

  it('names the field and the rule of a wrong command, and does nothing', async () => {
    const url = on.double.controlUrl;
    const post = async (path: string, body: string) => {
      const response = await fetch(`${url}/${path}`, { method: 'POST', body });
      return [response.status, await response.text()] as const;
    };
    expect(await post('refuseCalls', '{"calls":-1,"as":"unavailable"}')).toEqual([
      400,
      expect.stringContaining('/calls'),
    ]);
    expect(await post('hang', '{}')).toEqual([400, expect.stringContaining('/on')]);
    expect(await post('hang', 'x')).toEqual([400, expect.stringContaining('JSON')]);
    expect(await post('hang', 'x'.repeat(70_000))).toEqual([
      400,
      expect.stringContaining('too large'),
    ]);
    expect((await post('explode', '{}'))[0]).toBe(404);
    expect((await fetch(`${url}/state`)).status).toBe(404);
    await collect(on.client.readAll());
  });
});
