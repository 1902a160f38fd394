import { describe, expect, it } from '@jest/globals';
import { collect, counted, failureOf, messagesOf, setting, several } from './client.suite.js';

const on = setting();

const positionOf = (commit: bigint) => ({ commit, prepare: commit });

describe('$all', () => {
  it('begins with the system’s own events and holds all appends in order', async () => {
    await on.client.appendToStream('counter-1', several(2));
    await on.client.appendToStream('counter-2', [counted(2)]);
    await on.client.appendToStream('counter-1', [counted(3)]);
    for await (const { event } of on.client.readAll({ maxCount: 1 }))
      expect(event?.streamId).toMatch(/^\$/);
    const events = await collect(on.client.readAll());
    expect(events.map(({ data }) => data)).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }]);
    const positions = events.map(({ position }) => position?.commit ?? 0n);
    expect(positions).toEqual([...positions].sort((a, b) => Number(a - b)));
    expect(events.every(({ position }) => position?.commit === position?.prepare)).toBe(true);
  });

  it('includes the event at the position forwards, and leaves it out backwards', async () => {
    await on.client.appendToStream('counter-1', several(4));
    const events = await collect(on.client.readAll());
    const fromPosition = events[2]?.position ?? positionOf(0n);
    const forwards = await collect(on.client.readAll({ fromPosition }));
    expect(forwards.map(({ data }) => data)).toEqual([{ n: 2 }, { n: 3 }]);
    const backwards = await collect(
      on.client.readAll({ fromPosition, direction: 'backwards', maxCount: 2 }),
    );
    expect(backwards.map(({ data }) => data)).toEqual([{ n: 1 }, { n: 0 }]);
    const newest = on.client.readAll({
      direction: 'backwards',
      fromPosition: 'end',
      maxCount: 1,
    });
    expect((await collect(newest)).map(({ data }) => data)).toEqual([{ n: 3 }]);
    expect(await collect(on.client.readAll({ fromPosition: 'end' }))).toEqual([]);
  });

  it('cannot be read from a position that no event has', async () => {
    await on.client.appendToStream('counter-1', several(2));
    const [first] = await collect(on.client.readAll());
    const commit = (first?.position?.commit ?? 0n) + 1n;
    expect(
      await failureOf(collect(on.client.readAll({ fromPosition: positionOf(commit) }))),
    ).toMatchObject({ type: 'unknown' });
    const beyond = positionOf(10n ** 9n);
    expect(await collect(on.client.readAll({ fromPosition: beyond }))).toEqual([]);
  });

  it('is read in pages by the last position seen, which comes again', async () => {
    await on.client.appendToStream('counter-1', several(10));
    let page = await collect(on.client.readAll());
    page = page.slice(0, 3);
    const fromPosition = page.at(-1)?.position ?? positionOf(0n);
    const following = await collect(on.client.readAll({ fromPosition, maxCount: 4 }));
    expect(following.map(({ data }) => data)).toEqual([{ n: 2 }, { n: 3 }, { n: 4 }, { n: 5 }]);
  });

  it('of many thousand events is read whole by a slow reader', async () => {
    for (let round = 0; round < 4; round += 1)
      await on.client.appendToStream('counter-1', several(1_000, round * 1_000));
    const reading = on.client.readAll();
    expect(await messagesOf(on.double)).toBeLessThan(2_000);
    let seen = 0;
    for await (const { event } of reading) {
      if (event?.type === 'Counted') seen += 1;
      if (seen % 500 === 0) await new Promise(setImmediate);
    }
    expect(seen).toBe(4_000);
    expect((await on.double.control.state()).open.read).toBe(0);
  });
});
