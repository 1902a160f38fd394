import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type AllStreamResolvedEvent,
  type AllStreamSubscription,
  type AppendToStreamOptions,
  EventStoreDBClient,
  jsonEvent,
} from '@eventstore/db-client';
import { afterEach, beforeEach } from '@jest/globals';
import { eventually } from '../eventually.js';
import { type EventStoreDbDouble, type EventStoreDbOptions, startEventStoreDb } from './server.js';

export type Setting = { double: EventStoreDbDouble; client: EventStoreDBClient };

/** A double and the real client for every spec. */
export function setting(options: EventStoreDbOptions = {}): Setting {
  const held: Partial<Setting> = {};
  beforeEach(async () => {
    held.double = await startEventStoreDb(options);
    held.client = EventStoreDBClient.connectionString(held.double.connectionString);
  });
  afterEach(async () => {
    // The client waits for ever for a call that the server has ended.
    const over = new AbortController();
    const late = pause(500, undefined, { signal: over.signal }).catch(() => undefined);
    await Promise.race([held.client?.dispose(), late]);
    over.abort();
    await held.double?.stop();
  });
  return {
    get double() {
      return held.double!;
    },
    get client() {
      return held.client!;
    },
  };
}

export const counted = (n: number, id: string = randomUUID()) =>
  jsonEvent({ id, type: 'Counted', data: { n } });

export const several = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => counted(from + index));

/** What an `AsyncIterable` of resolved events holds, without the server's own events. */
export async function collect(
  reading: AsyncIterable<AllStreamResolvedEvent | { event?: unknown }>,
): Promise<Seen[]> {
  const seen: Seen[] = [];
  for await (const { event } of reading) if (isSeen(event)) seen.push(event);
  return seen;
}

export type Seen = {
  readonly streamId: string;
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
  readonly revision: bigint;
  readonly position?: { readonly commit: bigint; readonly prepare: bigint };
};

function isSeen(event: unknown): event is Seen {
  return (
    typeof event === 'object' &&
    event !== null &&
    'streamId' in event &&
    typeof event.streamId === 'string' &&
    !event.streamId.startsWith('$')
  );
}

/** Reads a subscription bit by bit; it stays open. */
export function reader(subscription: AllStreamSubscription): (count: number) => Promise<Seen[]> {
  const events = subscription[Symbol.asyncIterator]();
  return async (count) => {
    const seen: Seen[] = [];
    while (seen.length < count) {
      const read = await events.next();
      if (read.done === true) throw new Error(`Ended after ${seen.length} of ${count} events.`);
      if (isSeen(read.value.event)) seen.push(read.value.event);
    }
    return seen;
  };
}

/** How many messages readers were sent, as soon as no more are sent. */
export async function messagesOf({ control }: EventStoreDbDouble): Promise<number> {
  let before = 0;
  return eventually(
    async () => {
      const { messages } = (await control.state()).counts;
      const isStill = messages > 0 && messages === before;
      before = messages;
      if (!isStill) throw new Error(`Messages are still sent: ${messages}.`);
      return messages;
    },
    { everyMs: 100 },
  );
}

/** Appends go through the shared batch call, or through a call of their own with credentials. */
export const PATHS: readonly (readonly [string, AppendToStreamOptions])[] = [
  ['batch', {}],
  ['own call', { credentials: { username: 'admin', password: 'changeit' } }],
];

export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (failure) {
    return failure;
  }
  throw new Error('It did not fail.');
}
