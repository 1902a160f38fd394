import assert from 'node:assert/strict';
import { describe, it } from '@jest/globals';
import { type Attempts, type JournalEntry, openAttempt, withEntry } from './attempt.js';
import type { Lease } from './lease.js';

const attemptId = '8c1fd2a6-31f0-4a43-9a40-2cd3b2d7f6a1';
const at = '2026-11-21T09:00:00.000Z';
const lease: Lease = {
  attemptId,
  rolloutId: attemptId,
  endpointId: attemptId,
  ring: 'pilot',
  kind: 'install',
  epoch: 1,
  leaseExpiresAt: at,
  patches: [],
  rollbackOf: null,
};
const outcome = {
  outcome: 'verified',
  class: '',
  transient: false,
  detail: '',
  versions: [],
  deviceTime: at,
} as const;
const received: JournalEntry = { type: 'received', at, attemptId, lease };
const simulated: JournalEntry = { type: 'simulated', at, attemptId, transaction: { changes: [] } };
const confirmed: JournalEntry = { type: 'confirmed', at, attemptId };
const started: JournalEntry = { type: 'started', at, attemptId };
const finished: JournalEntry = { type: 'finished', at, attemptId, outcome };
const reported: JournalEntry = { type: 'reported', at, attemptId, refusal: null };
const dropped: JournalEntry = { type: 'dropped', at, attemptId, reason: 'recalled' };
const after = (...entries: JournalEntry[]): Attempts => entries.reduce(withEntry, new Map());
const only = (...entries: JournalEntry[]) => after(...entries).get(attemptId);

describe('journal', () => {
  it('has no open attempt at first', () => assert.equal(openAttempt(after()), null));
  it('keeps an attempt open until it is reported', () => {
    const steps = [received, simulated, started, finished];
    for (let count = 1; count <= steps.length; count += 1) {
      assert.notEqual(openAttempt(after(...steps.slice(0, count))), null);
    }
    assert.equal(openAttempt(after(...steps, reported)), null);
  });
  it('closes a dropped one', () => assert.equal(openAttempt(after(received, dropped)), null));
  it('remembers the transaction, and that it was confirmed and started', () => {
    const attempt = only(received, simulated, confirmed, simulated, started, finished);
    assert.deepEqual(
      { ...attempt, lease: null },
      {
        lease: null,
        state: 'finished',
        transaction: { changes: [] },
        confirmed: true,
        started: true,
        outcome,
      },
    );
  });
  it('takes a lease again of which nothing was started', () =>
    assert.equal(only(received, simulated, dropped, received)?.state, 'received'));
  it('refuses a lease that was started', () =>
    assert.throws(() => after(received, started, finished, reported, received), /started before/));
  it('refuses a second start', () =>
    assert.throws(() => after(received, started, started), /started before/));
  it('refuses a line about an attempt that it never received', () =>
    assert.throws(() => after(started), /never received/));
});
