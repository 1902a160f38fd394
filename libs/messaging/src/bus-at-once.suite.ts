import { describe, expect, it } from '@jest/globals';
import type { Bus, Delivery } from './bus.js';
import { gate, idsOf, keysOf, messagesOver } from './test-messages.suite.js';

/** A running member that keeps what it got; `handle` comes before a delivery counts. */
export type StartMember = (
  topics: readonly string[],
  options?: {
    group?: string;
    on?: Bus;
    atOnce?: number;
    handle?: (delivery: Delivery, stop: AbortController) => Promise<void> | void;
  },
) => Readonly<{
  got: readonly Delivery[];
  group: string;
  leave: () => Promise<void>;
  done: Promise<void>;
}>;

type Given = Pick<Bus, 'publish' | 'lag'> &
  Readonly<{
    topicWith: (partitions?: number) => Promise<string>;
    member: StartMember;
    soon: (check: () => void | Promise<void>) => Promise<void>;
    /** Another client of the same log. */
    other: () => Bus;
  }>;

/** What every adapter keeps where a member works on several deliveries at once. */
export function describeAtOnce({ topicWith, member, soon, publish, lag, other }: Given): void {
  describe('several at once', () => {
    /** How many handlers are under way, of each key and in all; the most that there were. */
    const counting = () => {
      const now = new Map<string, number>();
      const most = { ofKey: 0, inAll: 0 };
      const during = async (key: string, work: () => Promise<void>) => {
        now.set(key, (now.get(key) ?? 0) + 1);
        most.ofKey = Math.max(most.ofKey, now.get(key) ?? 0);
        most.inAll = Math.max(
          most.inAll,
          [...now.values()].reduce((sum, n) => sum + n, 0),
        );
        await work();
        now.set(key, (now.get(key) ?? 0) - 1);
      };
      return { most, during };
    };
    it('works on several keys at once, each of which waits for the other', async () => {
      const topic = await topicWith(1);
      await publish(topic, messagesOver(keysOf(3), 3));
      const begun = new Set<string>();
      const all = gate();
      const { got } = member([topic], {
        handle: async ({ message }, { signal }) => {
          signal.addEventListener('abort', all.open);
          begun.add(message.partitionkey);
          if (begun.size === 3) all.open();
          await all.opened;
        },
      });
      await soon(() => expect(got).toHaveLength(3));
    });

    it('never works on two of a key at once, nor on more than it may, and keeps their order', async () => {
      const topic = await topicWith(2);
      const keys = keysOf(9);
      const { most, during } = counting();
      const { got } = member([topic], {
        atOnce: 3,
        handle: ({ message }) =>
          during(message.partitionkey, () => new Promise((resolve) => setImmediate(resolve))),
      });
      await publish(topic, messagesOver(keys, 90));
      await soon(() => expect(got).toHaveLength(90));
      expect(most.ofKey).toBe(1);
      expect(most.inAll).toBeGreaterThan(1);
      expect(most.inAll).toBeLessThanOrEqual(3);
      for (const key of keys) {
        const numbers = got.flatMap(({ message }) =>
          message.partitionkey === key ? [message.data] : [],
        );
        const first = keys.indexOf(key);
        expect(numbers).toEqual(Array.from({ length: 10 }, (_, n) => ({ n: first + n * 9 })));
      }
    });

    it('works on one at a time where it is told to', async () => {
      const topic = await topicWith(1);
      await publish(topic, messagesOver(keysOf(5), 20));
      const { most, during } = counting();
      const { got } = member([topic], {
        atOnce: 1,
        handle: ({ message }) =>
          during(message.partitionkey, () => new Promise((resolve) => setImmediate(resolve))),
      });
      await soon(() => expect(got).toHaveLength(20));
      expect(most.inAll).toBe(1);
      expect(got.map(({ message }) => message.data)).toEqual(
        Array.from({ length: 20 }, (_, n) => ({ n })),
      );
    });

    it('commits no further than to what is not handled yet', async () => {
      const topic = await topicWith(1);
      const messages = messagesOver(keysOf(3), 3);
      await publish(topic, messages);
      const second = gate();
      const { got, group } = member([topic], {
        handle: ({ message }, { signal }) => {
          signal.addEventListener('abort', second.open);
          return message.id === messages[1]?.id ? second.opened : undefined;
        },
      });
      await soon(() => expect(got).toHaveLength(2));
      // The first at least, once it is committed; never the third, which is behind the second.
      expect(await lag(group, [topic])).toBeGreaterThanOrEqual(2n);
      second.open();
      await soon(async () => expect(await lag(group, [topic])).toBe(0n));
    });

    it('delivers again what failed and what is behind it, whatever was handled of it', async () => {
      const topic = await topicWith(1);
      const messages = messagesOver(keysOf(3), 3);
      await publish(topic, messages);
      const [first, second, third] = idsOf(messages);
      const behind = gate();
      const doomed = member([topic], {
        handle: async ({ message }, stop) => {
          stop.signal.addEventListener('abort', behind.open);
          if (message.id === third) behind.open();
          if (message.id !== second) return;
          await behind.opened;
          stop.abort();
          throw new Error('died');
        },
      });
      await doomed.done;
      expect(received(doomed.got).toSorted()).toEqual([first, third].toSorted());
      expect(await lag(doomed.group, [topic])).toBe(2n);
      const heir = member([topic], { group: doomed.group, on: other(), atOnce: 1 });
      await soon(() => expect(received(heir.got)).toEqual([second, third]));
    });

    it('begins nothing more of a partition in which something failed, until that comes again', async () => {
      const topic = await topicWith(1);
      const messages = messagesOver(keysOf(6), 6);
      await publish(topic, messages);
      const tried: string[] = [];
      const { got } = member([topic], {
        atOnce: 2,
        handle: ({ message }) => {
          tried.push(message.id);
          if (tried.length === 1) throw new Error('not yet');
        },
      });
      await soon(() => expect(new Set(received(got))).toEqual(new Set(idsOf(messages))));
      const again = tried.indexOf(messages[0]?.id ?? '', 1);
      expect(again).toBeLessThanOrEqual(2);
    });

    it('finishes and commits all that is in hand before it stops', async () => {
      const topic = await topicWith(1);
      await publish(topic, messagesOver(keysOf(3), 9));
      const both = gate();
      let begun = 0;
      const leaving = member([topic], {
        atOnce: 2,
        handle: async (_, stop) => {
          stop.signal.addEventListener('abort', both.open);
          begun += 1;
          if (begun < 2) return both.opened;
          stop.abort();
        },
      });
      await leaving.done;
      expect(leaving.got).toHaveLength(2);
      expect(await lag(leaving.group, [topic])).toBe(7n);
    });
  });
}

function received(deliveries: readonly Delivery[]): readonly string[] {
  return idsOf(deliveries.map(({ message }) => message));
}
