import { randomUUID } from 'node:crypto';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { leaseOf } from '../../leases.suite.js';
import { openJournal } from './journal-file.js';

const NOW = new Date('2026-11-21T09:00:00Z');

describe('the journal', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'patchtrail-journal-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const open = () => openJournal(folder, () => NOW);
  const lease = leaseOf(randomUUID(), { package: 'alpha', version: '2' });
  const { attemptId } = lease;

  it('goes on after a write that a full disk cut off', async () => {
    const journal = await open();
    await journal.append({ type: 'received', attemptId, lease });
    await appendFile(join(folder, 'journal.jsonl'), '{"type":"confir');
    await journal.append({ type: 'confirmed', attemptId });
    await journal.append({ type: 'dropped', attemptId, reason: 'recalled' });
    const again = await open();
    expect(again.attempts()).toEqual(journal.attempts());
    const text = await readFile(join(folder, 'journal.jsonl'), 'utf8');
    expect(text.split('\n')).toHaveLength(4);
  });
});
