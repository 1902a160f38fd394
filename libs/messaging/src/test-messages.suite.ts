import type { CloudEvent } from '@patchtrail/contracts';
import { randomUUID } from 'node:crypto';

/** A well-formed message of one key; only what a spec looks at differs. */
export function messageOf(key: string, data: unknown = {}, id: string = randomUUID()): CloudEvent {
  return {
    specversion: '1.0',
    id,
    source: '/patchtrail/suite',
    type: 'org.patchtrail.suite.SomethingHappened.v1',
    subject: `thing/${key}`,
    time: '2026-11-21T09:00:00Z',
    datacontenttype: 'application/json',
    dataschema: 'urn:patchtrail:schema:org.patchtrail.suite.SomethingHappened.v1',
    partitionkey: key,
    sequence: '0'.repeat(20),
    correlationid: 'correlation',
    causationid: 'causation',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    recordedtime: '2026-11-21T09:00:01Z',
    authid: 'somebody',
    data,
  };
}

/** `count` messages, the keys taking turns, numbered in `data.n`. */
export function messagesOver(keys: readonly string[], count: number): CloudEvent[] {
  return Array.from({ length: count }, (_, n) => messageOf(keys[n % keys.length] ?? 'none', { n }));
}

export const keysOf = (count: number) =>
  Array.from({ length: count }, (_, n) => `key-${String(n)}`);

export const unique = (name: string) => `${name}.${randomUUID()}`;

export const idsOf = (messages: readonly CloudEvent[]) => messages.map(({ id }) => id);

/** What waits for `opened` goes on once somebody opens it. */
export function gate(): Readonly<{ opened: Promise<void>; open: () => void }> {
  let letGo: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (letGo = resolve));
  return { opened, open: () => letGo() };
}
