import assert from 'node:assert/strict';
import { type Decider, DomainError, fold, type Message } from '@patchtrail/event-sourcing';
import { describe, it } from '@jest/globals';
import fc from 'fast-check';
import { contextOf, type CounterEvent, counterCodec } from './counter.suite.js';
import { type ExpectedRevision, type StoredEvent, WrongExpectedRevision } from './event-store.js';
import type { Stream } from './fold-stream.js';
import { createGates, randomFrom, ReplyLost } from './gated-store.suite.js';
import { handle, type Handled, load } from './handle.js';
import { commandIdFrom } from './ids.js';
import { createMemoryEventStore } from './memory-event-store.js';
import { createStateCache } from './state-cache.js';

const RUNS = 2_000;
const NAMES = ['counter-1', 'counter-2'] as const;
const TOTAL_MAX = 12;
const TRIES_MAX = 8;

type Command = Message<'Add', { by: number; times: number }>;

/** Refuses what would be too much and does nothing for 0: both depend on nothing being missed. */
const counter: Decider<number, Command, CounterEvent> = {
  initial: 0,
  decide: ({ data: { by, times } }, total) => {
    if (total + by * times > TOTAL_MAX) throw new DomainError('too-much');
    if (by === 0 || total % 3 === 2) return [];
    return Array.from({ length: times }, () => ({ type: 'Added', data: { by } }));
  },
  evolve: (total, { data }) => total + data.by,
};

const step = fc.record({
  act: fc.constantFrom('handle', 'handle', 'handle', 'load'),
  process: fc.nat(2),
  name: fc.constantFrom(...NAMES),
  /** Few, so that commands come again, at times with other data. */
  command: fc.nat(5),
  by: fc.nat(2),
  times: fc.integer({ min: 1, max: 2 }),
  expected: fc.option(fc.constantFrom<ExpectedRevision>('no-stream', 0, 1, 2), { freq: 5 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const scenario = fc.record({
  seed: fc.nat(),
  lossPercent: fc.constantFrom(0, 10, 30),
  limits: fc.constantFrom({}, { streamsMax: 1 }, { eventsMax: 3 }, { streamsMax: 0 }, null),
  batches: fc.array(fc.array(step, { minLength: 1, maxLength: 4, size: 'max' }), {
    minLength: 1,
    maxLength: 8,
    size: 'max',
  }),
});
type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

/** What one caller was told, with the revisions of the stream before and after it asked. */
type Answer = Readonly<{ step: Step; from: number; to: number }> &
  (
    | Readonly<{ kind: 'handled'; handled: Handled<number, CounterEvent> }>
    | Readonly<{ kind: 'loaded'; state: number; revision: number }>
    | Readonly<{ kind: 'refused'; error: Error }>
    | Readonly<{ kind: 'unknown' }>
  );

const commandIdOf = ({ command }: Step) => commandIdFrom('property', String(command));
const commandOf = ({ by, times }: Step): Command => ({ type: 'Add', data: { by, times } });

async function play({ seed, lossPercent, limits, batches }: Scenario) {
  const memory = createMemoryEventStore();
  const { store, run } = createGates(memory, randomFrom(seed), lossPercent);
  const processes = [0, 1, 2].map((): Stream<number, Command, CounterEvent> => {
    const stream = { store, decider: counter, codec: counterCodec };
    return limits === null ? stream : { ...stream, cache: createStateCache(limits) };
  });
  const answers: Answer[] = [];
  const headOf = async (name: string) => (await memory.read(name)).length - 1;

  const ask = async (one: Step) => {
    const stream = processes[one.process];
    assert.ok(stream);
    if (one.act === 'load') {
      const { state, revision } = await load(stream, one.name);
      return { kind: 'loaded', state, revision } as const;
    }
    const options = one.expected === null ? {} : { expected: one.expected };
    const context = contextOf(commandIdOf(one));
    const handled = await handle(stream, one.name, commandOf(one), context, options);
    return { kind: 'handled', handled } as const;
  };
  const work = (first: Step) => async () => {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      // Whoever got no answer asks again, and may reach another process.
      const one = { ...first, process: (first.process + tries) % processes.length };
      const from = await headOf(one.name);
      const told = await ask(one).catch((error: unknown) => {
        if (error instanceof ReplyLost) return { kind: 'unknown' } as const;
        assert.ok(error instanceof DomainError || error instanceof WrongExpectedRevision);
        return { kind: 'refused', error } as const;
      });
      answers.push({ step: one, from, to: await headOf(one.name), ...told });
      if (told.kind !== 'unknown') return;
    }
  };
  for (const batch of batches) await run(batch.map(work));
  return { memory, processes, run, answers };
}

function totalAt(events: readonly StoredEvent[], revision: number): number {
  return fold(
    counter,
    events.slice(0, revision + 1).map((event) => counterCodec.decode(event)),
  );
}

/** That the answer would have been given by somebody who read the stream after being asked. */
function judge(events: readonly StoredEvent[], answer: Answer): void {
  const { step: asked, from, to } = answer;
  const commandId = commandIdOf(asked);
  const ours = events.filter(({ metadata }) => metadata.commandId === commandId);
  const revisions = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  if (answer.kind === 'loaded') {
    assert.ok(revisions.includes(answer.revision), 'a load misses what was there before it');
    assert.equal(answer.state, totalAt(events, answer.revision));
  }
  if (answer.kind === 'refused') {
    const isRight = revisions.some((revision) =>
      wouldRefuse(asked, totalAt(events, revision), revision),
    );
    assert.ok(isRight, `refused without a reason: ${answer.error.message}`);
  }
  if (answer.kind !== 'handled') return;
  const { state, revision, events: told } = answer.handled;
  assert.equal(state, totalAt(events, revision), 'the state is not that of the stream');
  if (told.length === 0) {
    assert.ok(revisions.includes(revision), 'nothing to do, on outdated state');
    assert.deepEqual(counter.decide(commandOf(asked), state), []);
    assert.ok(
      ours.every((event) => event.revision > revision),
      'a repetition is not recognised',
    );
    return;
  }
  const stored = ours.map((event) => counterCodec.decode(event));
  assert.deepEqual(told, stored, 'an acknowledged command is not in the stream exactly once');
  assert.equal(revision, ours.at(-1)?.revision);
}

function wouldRefuse({ by, times, expected }: Step, total: number, revision: number): boolean {
  const actual = revision === -1 ? 'no-stream' : revision;
  return (expected !== null && expected !== actual) || total + by * times > TOTAL_MAX;
}

/** One append per command: its events are next to each other. */
function assertOnce(events: readonly StoredEvent[]): void {
  const commands = events.map(({ metadata }) => metadata.commandId);
  const runs = commands.filter((commandId, index) => commandId !== commands[index - 1]);
  assert.equal(new Set(runs).size, runs.length, 'a command was stored twice');
}

describe('several processes with caches over one store', () => {
  it('store each acknowledged command once, and answer as if they had read everything', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async (s) => {
        const { memory, processes, run, answers } = await play(s);
        for (const name of NAMES) {
          const events = await memory.read(name);
          assertOnce(events);
          for (const answer of answers.filter(({ step: asked }) => asked.name === name)) {
            judge(events, answer);
          }
          const check = processes.map((stream) => async () => {
            const { state, revision } = await load(stream, name);
            assert.equal(revision, events.length - 1);
            assert.equal(state, totalAt(events, revision));
          });
          await run(check);
        }
      }),
      { numRuns: RUNS },
    );
  }, 300_000);
});
