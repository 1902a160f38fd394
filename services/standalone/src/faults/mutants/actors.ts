import { appendTo, messageOf, ROW_TOPIC, send, STREAM_TOPIC, type World } from './world.js';

/** One round of work. Whoever runs it may end it for good between any two steps. */
export type Steps = Generator<undefined, void>;

export type Asked = Readonly<{ stream: string; mark: string }>;

/** The parts of the product in miniature; a mutant has one of them wrong. */
export type Actors = Readonly<{
  /** One try of a command; its client tries again until the command is among the answered. */
  command: (world: World, asked: Asked, tryNumber: number) => Steps;
  /** Writes a row, and an outbox row with it; tried again until it is there. */
  row: (world: World, key: string, number: number) => Steps;
  /** From the streams to the bus. */
  publisher: (world: World) => Steps;
  /** From the outbox to the bus; two of them take turns by a lease. */
  relay: (world: World) => Steps;
  consumer: (world: World) => Steps;
  projection: (world: World) => Steps;
  /** Whether an actor that crashed is started again. */
  restarts: boolean;
}>;

const RELAYED = 2;

/** As the product does it. */
export const RIGHT: Actors = {
  restarts: true,
  *command(world, { stream, mark }) {
    const isKnown = world.events.some(({ commandId }) => commandId === mark);
    yield;
    if (!isKnown) appendTo(world, stream, { id: `event of ${mark}`, commandId: mark, mark });
    yield;
    answer(world, mark, 'acknowledged');
  },
  *row(world, key, number) {
    const message = messageOf(ROW_TOPIC, key, `row ${String(number)}`, number);
    yield;
    if (world.rows.includes(message.id)) return;
    world.rows.push(message.id);
    world.outbox.push(message);
  },
  *publisher(world) {
    const event = world.events[world.published];
    if (event === undefined) return;
    yield;
    send(world, messageOf(STREAM_TOPIC, event.stream, event.id, event.revision));
    yield;
    world.published += 1;
  },
  *relay(world) {
    const epoch = take(world);
    if (epoch === null) return;
    yield;
    const batch = world.outbox.slice(0, RELAYED);
    yield;
    for (const message of batch) send(world, message);
    yield;
    if (world.epoch === epoch) forget(world, epoch, batch);
    if (world.epoch === epoch) world.isLeased = false;
  },
  *consumer(world) {
    const message = world.messages[world.offset];
    if (message === undefined) return;
    yield;
    if (!isConsumed(world, message)) {
      world.inbox.push(nameOf(message));
      world.effects.push(message.id);
    }
    yield;
    world.offset += 1;
  },
  *projection(world) {
    const event = world.events[world.projected];
    if (event === undefined) return;
    yield;
    count(world, event.stream);
    world.projected += 1;
  },
};

export function answer(world: World, mark: string, outcome: 'acknowledged' | 'refused'): void {
  if (!world.commands.some((known) => known.mark === mark)) world.commands.push({ mark, outcome });
}

/** The epoch under which the lease is held from now on, or `null` while another one holds it. */
export function take(world: World): number | null {
  if (world.isLeased) return null;
  world.isLeased = true;
  world.epoch += 1;
  return world.epoch;
}

/** Of rows that are on the bus, as one write under the lease. */
export function forget(world: World, epoch: number, batch: World['outbox']): void {
  world.clock += 1n;
  world.writes.push({ lease: 'relay', epoch, at: world.clock });
  world.outbox = world.outbox.filter((row) => !batch.includes(row));
}

export function isConsumed(world: World, { id }: Readonly<{ id: string }>): boolean {
  return world.inbox.some((known) => known.id === id);
}

export function nameOf({ source, id }: Readonly<{ source: string; id: string }>) {
  return { source, id };
}

export function count({ counts }: World, stream: string): void {
  counts.set(stream, (counts.get(stream) ?? 0) + 1);
}
