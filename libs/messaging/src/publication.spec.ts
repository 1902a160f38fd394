import { describe, expect, it } from '@jest/globals';
import { type CloudEvent, ContractViolation } from '@patchtrail/contracts';
import { BusRefusal, type BusRefusalCode, type Outgoing, publicationOn } from './index.js';
import { idsOf, messageOf } from './test-messages.suite.js';

describe('a publication', () => {
  /** `topic:id` of each message that an event says. */
  type Event = readonly string[];
  const messagesOf = (event: Event): readonly Outgoing[] =>
    event.map((text) => {
      const [topic = '', id = ''] = text.split(':');
      return { topic, message: messageOf('key', {}, id) };
    });
  const recorded = () => {
    const published: [string, string[]][] = [];
    const publish = (topic: string, messages: readonly CloudEvent[]) => {
      published.push([topic, idsOf(messages)]);
      return Promise.resolve();
    };
    return { published, publish };
  };

  it('of several events is one for each topic, in their order', async () => {
    const bus = recorded();
    const { reactTogether } = publicationOn(bus, (event: Event) =>
      Promise.resolve(messagesOf(event)),
    );
    await reactTogether([['a:1'], [], ['b:2', 'a:3'], ['a:4']]);
    expect(bus.published).toEqual([
      ['a', ['1', '3', '4']],
      ['b', ['2']],
    ]);
  });

  it('of one event is what it says, and nothing where it says nothing', async () => {
    const bus = recorded();
    const { react } = publicationOn(bus, messagesOf);
    await react([]);
    await react(['a:1', 'a:2']);
    expect(bus.published).toEqual([['a', ['1', '2']]]);
  });

  it('publishes nothing while one of the events cannot be put into words', async () => {
    const bus = recorded();
    const { reactTogether } = publicationOn(bus, (event: Event) => {
      if (event.length === 0) throw new ContractViolation('type', '/data', 'wrong');
      return messagesOf(event);
    });
    await expect(reactTogether([['a:1'], []])).rejects.toThrow(ContractViolation);
    expect(bus.published).toEqual([]);
  });

  const refused = (code: BusRefusalCode) => new BusRefusal(code, 'field', 'rule');
  it.each([
    ['hopeless', refused('message-too-large')],
    ['hopeless', refused('invalid-message')],
    ['unclear', refused('unknown-topic')],
    ['outage', new Error('away')],
  ])('judges what the bus throws: %s for %s', async (judgement, thrown) => {
    const bus = { publish: () => Promise.reject(thrown) };
    const { react, judge } = publicationOn(bus, messagesOf);
    const failure = await react(['a:1']).catch((error: unknown) => error);
    expect(judge(failure)).toBe(judgement);
  });

  it('judges what breaks its contract as hopeless, and anything else as unclear', () => {
    const { judge } = publicationOn(recorded(), messagesOf);
    expect(judge(new ContractViolation('type', '/data', 'wrong'))).toBe('hopeless');
    expect(judge(new Error('store away'))).toBe('unclear');
  });
});
