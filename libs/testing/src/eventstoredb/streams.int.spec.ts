import { describe, expect, it } from '@jest/globals';
import { collect, counted, failureOf, setting, several } from './client.suite.js';

const on = setting();

const revisions = async (options: Parameters<typeof on.client.readStream>[1] = {}) =>
  (await collect(on.client.readStream('counter-1', options))).map(({ revision }) =>
    Number(revision),
  );

describe('a stream', () => {
  it('is read from a revision on, which is included, in both directions', async () => {
    await on.client.appendToStream('counter-1', several(5));
    expect(await revisions()).toEqual([0, 1, 2, 3, 4]);
    expect(await revisions({ fromRevision: 3n })).toEqual([3, 4]);
    expect(await revisions({ fromRevision: 9n })).toEqual([]);
    expect(await revisions({ fromRevision: 1n, maxCount: 2 })).toEqual([1, 2]);
    expect(await revisions({ direction: 'backwards', fromRevision: 'end' })).toEqual([
      4, 3, 2, 1, 0,
    ]);
    expect(await revisions({ direction: 'backwards', fromRevision: 2n, maxCount: 2 })).toEqual([
      2, 1,
    ]);
    expect(await revisions({ direction: 'backwards', fromRevision: 9n, maxCount: 1 })).toEqual([4]);
    expect(await revisions({ fromRevision: 'end' })).toEqual([]);
  });

  it('that was never written to is not found', async () => {
    expect(await failureOf(collect(on.client.readStream('counter-1')))).toMatchObject({
      type: 'stream-not-found',
      streamName: 'counter-1',
    });
  });

  it('holds data, metadata and time as they were given', async () => {
    const before = Date.now();
    const event = { ...counted(1), metadata: { commandId: 'c' } };
    const binary = {
      id: counted(0).id,
      type: 'Raw',
      contentType: 'application/octet-stream',
      data: new Uint8Array([0, 255]),
    } as const;
    await on.client.appendToStream('counter-1', [event, { ...binary, metadata: undefined }]);
    const [first, second] = await collect(on.client.readStream('counter-1'));
    expect(first).toMatchObject({
      id: event.id,
      streamId: 'counter-1',
      metadata: { commandId: 'c' },
      isJson: true,
    });
    const { created } = { created: new Date(0), ...first };
    expect(created.getTime()).toBeGreaterThanOrEqual(before);
    expect(second).toMatchObject({ isJson: false });
    expect(Buffer.from(second?.data as Uint8Array).equals(Buffer.from([0, 255]))).toBe(true);
  });

  it('is read from where it was truncated', async () => {
    await on.client.appendToStream('counter-1', several(5));
    await on.client.setStreamMetadata('counter-1', { truncateBefore: 3 });
    expect(await revisions()).toEqual([3, 4]);
    expect(await revisions({ direction: 'backwards', fromRevision: 'end' })).toEqual([4, 3]);
    expect((await on.client.getStreamMetadata('counter-1')).metadata).toEqual({
      truncateBefore: 3,
    });
  });

  it('shows its newest events only, by number or by age', async () => {
    await on.client.appendToStream('counter-1', several(5));
    await on.client.setStreamMetadata('counter-1', { maxCount: 2 });
    expect(await revisions()).toEqual([3, 4]);
    await on.client.appendToStream('counter-1', [counted(5)]);
    expect(await revisions()).toEqual([4, 5]);
    await on.client.setStreamMetadata('counter-1', { maxAge: 3600 });
    expect(await revisions()).toHaveLength(6);
    await on.client.setStreamMetadata('counter-1', { maxAge: 0 });
    expect(await revisions()).toEqual([]);
  });

  it('keeps of its metadata what was written last', async () => {
    await on.client.setStreamMetadata('counter-1', { note: 'one' });
    await on.client.setStreamMetadata('counter-1', { note: 'two' });
    const read = await on.client.getStreamMetadata('counter-1');
    expect(read.metadata).toEqual({ note: 'two' });
    let kept = 0;
    for await (const { event } of on.client.readStream('$$counter-1'))
      kept += event?.revision === 1n ? 1 : 10;
    expect(kept).toBe(1);
    await expect(
      on.client.appendToStream('counter-1', [counted(0)], { expectedRevision: 'stream_exists' }),
    ).resolves.toMatchObject({ nextExpectedRevision: 0n });
  });

  it('that was deleted is not found, and goes on behind its old events', async () => {
    await on.client.appendToStream('counter-1', several(3));
    expect(
      await failureOf(on.client.deleteStream('counter-1', { expectedRevision: 1n })),
    ).toMatchObject({
      type: 'wrong-expected-version',
      expectedVersion: 1n,
      actualVersion: 2n,
    });
    const { position } = await on.client.deleteStream('counter-1', { expectedRevision: 2n });
    expect(position?.commit).toBeGreaterThan(0n);
    expect(await failureOf(collect(on.client.readStream('counter-1')))).toMatchObject({
      type: 'stream-not-found',
    });
    expect(
      await failureOf(
        on.client.appendToStream('counter-1', [counted(3)], { expectedRevision: 'stream_exists' }),
      ),
    ).toMatchObject({ type: 'stream-deleted' });
    const again = await on.client.appendToStream('counter-1', [counted(3)], {
      expectedRevision: 'no_stream',
    });
    expect(again.nextExpectedRevision).toBe(3n);
    expect(await revisions()).toEqual([3]);
    // Nothing is scavenged: $all still shows the deleted events.
    expect(await collect(on.client.readAll())).toHaveLength(4);
  });

  it('that was deleted stays empty when its metadata is written', async () => {
    await on.client.appendToStream('counter-1', several(3));
    await on.client.deleteStream('counter-1');
    await on.client.setStreamMetadata('counter-1', { note: 'back' });
    expect(await revisions()).toEqual([]);
    await on.client.appendToStream('counter-1', [counted(3)], { expectedRevision: 2n });
    expect(await revisions()).toEqual([3]);
  });

  it('that does not exist cannot be deleted', async () => {
    expect(await failureOf(on.client.deleteStream('counter-1'))).toMatchObject({
      type: 'wrong-expected-version',
    });
  });

  it('with a tombstone takes no event and is read no more, for ever', async () => {
    await on.client.appendToStream('counter-1', several(3));
    await on.client.tombstoneStream('counter-1');
    expect(await failureOf(collect(on.client.readStream('counter-1')))).toMatchObject({
      type: 'stream-deleted',
      streamName: 'counter-1',
    });
    expect(await failureOf(on.client.appendToStream('counter-1', [counted(3)]))).toMatchObject({
      type: 'stream-deleted',
    });
    expect(await failureOf(on.client.deleteStream('counter-1'))).toMatchObject({
      type: 'stream-deleted',
    });
    const tombstone = (await collect(on.client.readAll())).at(-1);
    expect(tombstone).toMatchObject({ type: '$streamDeleted', revision: 2n ** 63n - 1n });
  });
});
