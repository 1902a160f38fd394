import type { Attempts, JournalEntry } from '../domain/attempt.js';

/** An entry as its writer states it; the journal adds the time. */
export type EntryDraft = JournalEntry extends infer E
  ? E extends unknown
    ? Omit<E, 'at'>
    : never
  : never;

/** The record of what the agent has done, on disk before `append` answers. */
export type Journal = Readonly<{
  attempts: () => Attempts;
  append: (entry: EntryDraft) => Promise<void>;
}>;
