import { randomUUID } from 'node:crypto';
import type {
  EventMetadata,
  EventStore,
  Json,
  NewEvent,
  Position,
  StoredEvent,
  SubscriptionItem,
} from './event-store.js';

/** What the specs of this library share. The store under test may hold the events of others. */

const DEADLINE_MS = 20_000;

export const metadata: EventMetadata = {
  schemaVersion: 1,
  commandId: 'a6e5ff6b-9c7b-4f6e-8a53-2f6a3f7d0c11',
  $correlationId: 'correlation',
  $causationId: 'causation',
  actor: 'ana',
  occurredAt: '2026-11-21T09:00:00Z',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};

/** A category that no other test uses, with its dash. */
export function freshPrefix(): string {
  return `t${randomUUID().replaceAll('-', '')}-`;
}

/** A stream that no other test uses. */
export function freshStream(prefix = freshPrefix()): string {
  return `${prefix}${randomUUID()}`;
}

export function newEvent(data: Json = { n: 1 }, id: string = randomUUID()): NewEvent {
  return { id, type: 'Counted', data, metadata };
}

export function newEvents(count: number): readonly NewEvent[] {
  return Array.from({ length: count }, (_, n) => newEvent({ n }));
}

type From = { store: EventStore; prefixes: readonly string[]; after: Position | null };

/**
 * The items of a subscription, first to last, until there are enough; resumed where it ends early.
 * Rejects when that takes too long.
 */
export async function follow(
  { store, prefixes, after }: From,
  isEnough: (items: readonly SubscriptionItem[]) => boolean,
  onItem: (item: SubscriptionItem) => Promise<void> = () => Promise.resolve(),
): Promise<readonly SubscriptionItem[]> {
  const items: SubscriptionItem[] = [];
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  let from = after;
  while (!deadline.aborted) {
    for await (const item of store.subscribe({ after: from, prefixes, signal: deadline })) {
      items.push(item);
      from = item.kind === 'event' ? item.event.position : item.position;
      await onItem(item);
      if (isEnough(items)) return items;
    }
  }
  throw new Error(`Not enough after ${DEADLINE_MS} ms: ${items.length} items.`);
}

export function eventsIn(items: readonly SubscriptionItem[]): readonly StoredEvent[] {
  return items.flatMap((item) => (item.kind === 'event' ? [item.event] : []));
}

/** Everything that is there by now, in the order of the store. */
export async function caughtUpWith(from: From): Promise<readonly StoredEvent[]> {
  return eventsIn(await follow(from, (items) => items.at(-1)?.kind === 'caught-up'));
}
