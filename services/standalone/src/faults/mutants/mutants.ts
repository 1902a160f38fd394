import { type Actors, answer, count, forget, isConsumed, nameOf, RIGHT, take } from './actors.js';
import { appendTo, messageOf, ROW_TOPIC, send, STREAM_TOPIC } from './world.js';

export type Mutant = Readonly<{
  name: string;
  /** The rule that must see it. */
  rule: string;
  actors: Actors;
}>;

const mutant = (name: string, rule: string, change: Partial<Actors>): Mutant => ({
  ...{ name, rule },
  actors: { ...RIGHT, ...change },
});

/** The product in miniature with one thing wrong each. */
export const MUTANTS: readonly Mutant[] = [
  mutant('a command is answered before it is stored', 'acknowledged-once', {
    *command(world, { stream, mark }) {
      answer(world, mark, 'acknowledged');
      yield;
      appendTo(world, stream, { id: `event of ${mark}`, commandId: mark, mark });
    },
  }),
  mutant('a repeated command is not recognised', 'acknowledged-once', {
    *command(world, { stream, mark }, tryNumber) {
      const again = `${mark}, try ${String(tryNumber)}`;
      appendTo(world, stream, { id: `event of ${again}`, commandId: again, mark });
      yield;
      answer(world, mark, 'acknowledged');
    },
  }),
  mutant('a repeated command is refused for what it has done itself', 'refused-nothing', {
    *command(world, { stream, mark }) {
      if (world.events.some((event) => event.commandId === mark)) {
        answer(world, mark, 'refused');
        return;
      }
      appendTo(world, stream, { id: `event of ${mark}`, commandId: mark, mark });
      yield;
      answer(world, mark, 'acknowledged');
    },
  }),
  mutant('an append is retried with new ids', 'no-event-twice', {
    *command(world, { stream, mark }, tryNumber) {
      const id = `event of ${mark}, try ${String(tryNumber)}`;
      appendTo(world, stream, { id, commandId: mark, mark });
      yield;
      answer(world, mark, 'acknowledged');
    },
  }),
  mutant('an append is retried with its ids at another revision', 'no-event-twice', {
    *command(world, { stream, mark }) {
      appendTo(world, stream, { id: `event of ${mark}`, commandId: mark, mark });
      yield;
      answer(world, mark, 'acknowledged');
    },
  }),
  mutant('the checkpoint is moved before the event is sent', 'published', {
    *publisher(world) {
      const event = world.events[world.published];
      if (event === undefined) return;
      world.published += 1;
      yield;
      send(world, messageOf(STREAM_TOPIC, event.stream, event.id, event.revision));
    },
  }),
  mutant('an event is published before it is appended', 'published', {
    *command(world, { stream, mark }, tryNumber) {
      const isKnown = world.events.some((event) => event.commandId === mark);
      const revision = world.events.filter((event) => event.stream === stream).length;
      const id = `event of ${mark}, try ${String(tryNumber)}`;
      if (!isKnown) send(world, messageOf(STREAM_TOPIC, stream, id, revision));
      yield;
      if (!isKnown) appendTo(world, stream, { id, commandId: mark, mark });
      answer(world, mark, 'acknowledged');
    },
  }),
  mutant('an outbox row is written after the transaction of its row', 'published', {
    *row(world, key, number) {
      const message = messageOf(ROW_TOPIC, key, `row ${String(number)}`, number);
      if (world.rows.includes(message.id)) return;
      world.rows.push(message.id);
      yield;
      world.outbox.push(message);
    },
  }),
  mutant('the offset is committed before the effect', 'seen-by-all', {
    *consumer(world) {
      const message = world.messages[world.offset];
      if (message === undefined) return;
      world.offset += 1;
      yield;
      if (isConsumed(world, message)) return;
      world.inbox.push(nameOf(message));
      world.effects.push(message.id);
    },
  }),
  mutant('the inbox is written before the transaction of the effect', 'acted-once', {
    *consumer(world) {
      const message = world.messages[world.offset];
      if (message === undefined) return;
      const isNew = !isConsumed(world, message);
      if (isNew) world.inbox.push(nameOf(message));
      yield;
      if (isNew) world.effects.push(message.id);
      world.offset += 1;
    },
  }),
  mutant('the inbox is written after the transaction of the effect', 'acted-once', {
    *consumer(world) {
      const message = world.messages[world.offset];
      if (message === undefined) return;
      const isNew = !isConsumed(world, message);
      if (isNew) world.effects.push(message.id);
      yield;
      if (isNew) world.inbox.push(nameOf(message));
      world.offset += 1;
    },
  }),
  mutant('two events are sent at once and the later one arrives first', 'in-order', {
    *publisher(world) {
      const events = world.events.slice(world.published, world.published + 2);
      yield;
      for (const { stream, id, revision } of events.toReversed()) {
        send(world, messageOf(STREAM_TOPIC, stream, id, revision));
      }
      yield;
      world.published += events.length;
    },
  }),
  mutant('a projection applies first and moves its checkpoint later', 'equals-rebuild', {
    *projection(world) {
      const event = world.events[world.projected];
      if (event === undefined) return;
      count(world, event.stream);
      yield;
      world.projected += 1;
    },
  }),
  mutant('a projection moves its checkpoint first and applies later', 'equals-rebuild', {
    *projection(world) {
      const event = world.events[world.projected];
      if (event === undefined) return;
      world.projected += 1;
      yield;
      count(world, event.stream);
    },
  }),
  mutant('a relay that was replaced writes all the same', 'epochs-rise', {
    *relay(world) {
      const epoch = take(world);
      if (epoch === null) return;
      yield;
      const batch = world.outbox.slice(0, 2);
      for (const message of batch) send(world, message);
      yield;
      forget(world, epoch, batch);
      if (world.epoch === epoch) world.isLeased = false;
    },
  }),
  mutant('an outbox row is forgotten before it is sent', 'published', {
    *relay(world) {
      const epoch = take(world);
      if (epoch === null) return;
      const batch = world.outbox.slice(0, 2);
      forget(world, epoch, batch);
      yield;
      for (const message of batch) send(world, message);
      if (world.epoch === epoch) world.isLeased = false;
    },
  }),
  mutant('a message that was met by a crash is parked', 'nothing-parked', {
    *consumer(world) {
      const message = world.messages[world.offset];
      if (message === undefined) return;
      const isNew = !isConsumed(world, message);
      if (isNew) world.inbox.push(nameOf(message));
      if (isNew) world.parked.push({ what: message.id, cause: 'the process ended' });
      yield;
      if (isNew) world.parked.pop();
      if (isNew) world.effects.push(message.id);
      world.offset += 1;
    },
  }),
  mutant('a reader that ended is not started again', 'caught-up', { restarts: false }),
];
