import { givenEventStoreDbUrl } from '@patchtrail/testing';
import {
  type EventStoreDbDouble,
  type EventStoreDbOptions,
  startEventStoreDb,
} from '@patchtrail/testing/eventstoredb';
import { describe } from '@jest/globals';
import type { EventStore } from '../event-store.js';
import { createTestLog } from '../log.suite.js';
import type { Limits } from './answers.js';
import { openEventStoreDb } from './eventstoredb-event-store.js';

/** What the specs run against, for their titles. */
export const TEST_SERVER = givenEventStoreDbUrl() === null ? 'the double' : 'the given server';

export type Opened = Readonly<{
  store: EventStore;
  log: ReturnType<typeof createTestLog>;
  url: string;
  close: () => Promise<void>;
}>;

/** A store in the given server, or else in a double of its own. */
export async function openTestStore(): Promise<Opened> {
  const given = givenEventStoreDbUrl();
  if (given === null) return openOnDouble();
  const log = createTestLog();
  const store = await openEventStoreDb({ url: given, log });
  return { store, log, url: given, close: () => store.close() };
}

/** Short, so that a server that keeps silent does not hold up the spec. */
export const SHORT_LIMITS: Limits = {
  answerMs: 400,
  totalMs: 4_000,
  triesMax: 6,
  silenceMs: 300,
};

export async function openOnDouble(
  options: EventStoreDbOptions = {},
  limits: Partial<Limits> = {},
): Promise<Opened & { double: EventStoreDbDouble }> {
  const double = await startEventStoreDb(options);
  const log = createTestLog();
  const url = double.connectionString;
  try {
    const store = await openEventStoreDb({ url, log, limits });
    const close = async () => {
      await store.close();
      await double.stop();
    };
    return { store, log, url, double, close };
  } catch (error) {
    await double.stop();
    throw error;
  }
}

/** Specs that need a server to misbehave on demand. */
export function onTheDouble(title: string, specs: () => void): void {
  if (givenEventStoreDbUrl() === null) describe(title, specs);
  else describe.skip(`${title} [not run: a given server does not misbehave on demand]`, specs);
}
