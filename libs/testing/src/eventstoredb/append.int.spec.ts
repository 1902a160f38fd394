import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { collect, counted, failureOf, PATHS, setting, several } from './client.suite.js';

const MIB = 1024 * 1024;

describe.each(PATHS)('an append (%s)', (_path, options) => {
  const on = setting();

  it('is placed behind the stream, in order, and tells revision and position', async () => {
    const first = await on.client.appendToStream('counter-1', several(2), {
      ...options,
      expectedRevision: 'no_stream',
    });
    const second = await on.client.appendToStream('counter-1', [counted(2)], {
      ...options,
      expectedRevision: 1n,
    });
    expect(first).toMatchObject({ success: true, nextExpectedRevision: 1n });
    expect(second.nextExpectedRevision).toBe(2n);
    const events = await collect(on.client.readStream('counter-1'));
    expect(events.map(({ data, revision }) => [data, revision])).toEqual([
      [{ n: 0 }, 0n],
      [{ n: 1 }, 1n],
      [{ n: 2 }, 2n],
    ]);
    // The position told is that of the append's last event.
    expect(first.position).toEqual(events[1]?.position);
    expect(second.position).toEqual(events[2]?.position);
  });

  it('is refused at any other revision, which is told', async () => {
    await on.client.appendToStream('counter-1', several(2), options);
    for (const [expectedRevision, expected] of [
      ['no_stream', 'no_stream'],
      [0n, 0n],
      [5n, 5n],
    ] as const)
      expect(
        await failureOf(
          on.client.appendToStream('counter-1', [counted(9)], { ...options, expectedRevision }),
        ),
      ).toMatchObject({
        type: 'wrong-expected-version',
        streamName: 'counter-1',
        expectedVersion: expected,
        actualVersion: 1n,
      });
    for (const expectedRevision of [0n, 'stream_exists'] as const)
      expect(
        await failureOf(
          on.client.appendToStream('counter-2', [counted(9)], { ...options, expectedRevision }),
        ),
      ).toMatchObject({ type: 'wrong-expected-version', actualVersion: 'no_stream' });
    expect((await on.double.control.state()).counts.appends).toBe(6);
    expect(await collect(on.client.readStream('counter-1'))).toHaveLength(2);
  });

  it.each(['any', 'stream_exists'] as const)('at %s goes behind whatever is there', async (at) => {
    await on.client.appendToStream('counter-1', several(3), options);
    const result = await on.client.appendToStream('counter-1', several(2), {
      ...options,
      expectedRevision: at,
    });
    expect(result.nextExpectedRevision).toBe(4n);
  });

  it('that is repeated at its revision has no effect and gets the first answer', async () => {
    const events = several(2, 1);
    await on.client.appendToStream('counter-1', [counted(0)], options);
    const at = { ...options, expectedRevision: 0n } as const;
    const first = await on.client.appendToStream('counter-1', events, at);
    await on.client.appendToStream('counter-1', [counted(3)], options);
    expect(await on.client.appendToStream('counter-1', events, at)).toEqual(first);
    // So is the beginning of it.
    expect(await on.client.appendToStream('counter-1', events.slice(0, 1), at)).toMatchObject({
      nextExpectedRevision: 1n,
    });
    expect(await collect(on.client.readStream('counter-1'))).toHaveLength(4);
  });

  it('that repeats only some of the events stored there is refused', async () => {
    const [one, two] = [counted(1), counted(2)];
    const at = { ...options, expectedRevision: 'no_stream' } as const;
    await on.client.appendToStream('counter-1', [one, two], at);
    for (const events of [
      [one, counted(3)],
      [counted(3), two],
      [one, two, counted(3)],
    ])
      expect(await failureOf(on.client.appendToStream('counter-1', events, at))).toMatchObject({
        type: 'wrong-expected-version',
        actualVersion: 1n,
      });
    expect(await collect(on.client.readStream('counter-1'))).toHaveLength(2);
  });

  it('with the same id at the next revision is stored a second time', async () => {
    const event = counted(1);
    await on.client.appendToStream('counter-1', [event], {
      ...options,
      expectedRevision: 'no_stream',
    });
    const again = await on.client.appendToStream('counter-1', [event], {
      ...options,
      expectedRevision: 0n,
    });
    expect(again.nextExpectedRevision).toBe(1n);
    const stored = await collect(on.client.readStream('counter-1'));
    expect(stored.map(({ id }) => id)).toEqual([event.id, event.id]);
  });

  it('without a revision is recognized by its ids in that stream only', async () => {
    const events = several(2);
    const first = await on.client.appendToStream('counter-1', events, options);
    expect(await on.client.appendToStream('counter-1', events, options)).toEqual(first);
    await on.client.appendToStream('counter-2', events, options);
    expect(await collect(on.client.readStream('counter-2'))).toHaveLength(2);
    // The other stream's events are the latest with these ids, so they are not recognized here.
    await on.client.appendToStream('counter-1', events, options);
    expect(await collect(on.client.readStream('counter-1'))).toHaveLength(4);
  });

  it('of more than 1 MiB in all is refused, of as much is not', async () => {
    const sized = (bytes: number) => ({
      ...counted(0, randomUUID()),
      data: { text: 'x'.repeat(bytes - '{"text":""}'.length - 2 * 'Counted'.length) },
    });
    const half = MIB / 2;
    await on.client.appendToStream('large-1', [sized(half), sized(half)], options);
    const described = { ...sized(half), metadata: { a: 1 } };
    expect(
      await failureOf(on.client.appendToStream('large-1', [sized(half), described], options)),
    ).toMatchObject({ type: 'maximum-append-size-exceeded' });
    expect(
      await failureOf(on.client.appendToStream('large-1', [sized(half), sized(half + 1)], options)),
    ).toMatchObject({ type: 'maximum-append-size-exceeded', maxAppendSize: MIB });
    expect(await collect(on.client.readStream('large-1'))).toHaveLength(2);
  });
});

describe('an append to a server from 25.1 on', () => {
  const on = setting({ version: '25.1.0' });

  it('may have more than 1 MiB', async () => {
    const large = { ...counted(0), data: { text: 'x'.repeat(2 * MIB) } };
    await on.client.appendToStream('large-1', [large]);
    expect(await collect(on.client.readStream('large-1'))).toHaveLength(1);
  });
});

describe('appends', () => {
  const on = setting();

  it('of many callers at once share one call and keep each stream in order', async () => {
    await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        on.client.appendToStream(`counter-${n % 10}`, several(3, n * 3)),
      ),
    );
    const state = await on.double.control.state();
    expect(state).toMatchObject({ counts: { appends: 200 }, open: { batch: 1, connection: 1 } });
    expect(await collect(on.client.readStream('counter-3'))).toHaveLength(60);
  });

  it('in parts are committed at the last part', async () => {
    await on.client.appendToStream('counter-1', several(50), { batchAppendSize: 100 });
    expect(await collect(on.client.readStream('counter-1'))).toHaveLength(50);
  });
});
