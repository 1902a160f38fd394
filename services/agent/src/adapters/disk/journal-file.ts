import { join } from 'node:path';
import type { Journal } from '../../application/journal.js';
import { type Attempts, type JournalEntry, withEntry } from '../../domain/attempt.js';
import { decodeJson, JournalEntrySchema } from '../decoding/schemas.js';
import { appendDurably, readIfThere, replaceFile } from './files.js';

const ATTEMPTS_KEPT_MAX = 200;
const ATTEMPTS_KEPT_AFTER_CUT = 100;

const lineOf = (entry: JournalEntry) => `${JSON.stringify(entry)}\n`;

function parse(path: string, text: string): readonly JournalEntry[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line, index) => decodeJson(`${path} line ${index + 1}`, JournalEntrySchema, line));
}

function newest(entries: readonly JournalEntry[], attempts: Attempts): readonly JournalEntry[] {
  const kept = new Set([...attempts.keys()].slice(-ATTEMPTS_KEPT_AFTER_CUT));
  return entries.filter(({ attemptId }) => kept.has(attemptId));
}

/**
 * The journal as JSON lines in the state folder. A last line that a crash cut off was never
 * acknowledged and is dropped; any other malformed line is an error, because guessing could
 * install twice.
 */
export async function openJournal(stateDir: string, now: () => Date): Promise<Journal> {
  const path = join(stateDir, 'journal.jsonl');
  const text = (await readIfThere(path)) ?? '';
  let entries = parse(path, text);
  const fold = () => entries.reduce(withEntry, new Map());
  let attempts: Attempts = fold();
  const cut = attempts.size > ATTEMPTS_KEPT_MAX;
  if (cut) {
    entries = newest(entries, attempts);
    attempts = fold();
  }
  const isWhole = text === '' || text.endsWith('\n');
  const kept = cut || !isWhole ? entries.map(lineOf).join('') : text;
  if (kept !== text) await replaceFile(path, kept);
  let bytes = Buffer.byteLength(kept);
  return {
    attempts: () => attempts,
    append: async (draft) => {
      const entry: JournalEntry = { ...draft, at: now().toISOString() };
      const next = withEntry(attempts, entry);
      const line = lineOf(entry);
      await appendDurably(path, line, bytes);
      bytes += Buffer.byteLength(line);
      attempts = next;
    },
  };
}
