import { describe, it } from '@jest/globals';
import { createAlarm } from './alarm.js';

const LONG_MS = 600_000;
const never = new AbortController().signal;

describe('an alarm', () => {
  it('ends a wait when it rings', async () => {
    const alarm = createAlarm();
    const waiting = alarm.wait(LONG_MS, never);
    alarm.ring();
    await waiting;
  });

  it('has no wait for who comes after a ring, once', async () => {
    const alarm = createAlarm();
    alarm.ring();
    await alarm.wait(LONG_MS, never);
    const waiting = alarm.wait(LONG_MS, never);
    alarm.ring();
    await waiting;
  });

  it('ends a wait at its deadline', async () => {
    await createAlarm().wait(1, never);
  });

  it('ends a wait when the signal aborts, and waits for no aborted signal', async () => {
    const stop = new AbortController();
    const waiting = createAlarm().wait(LONG_MS, stop.signal);
    stop.abort();
    await waiting;
    await createAlarm().wait(LONG_MS, stop.signal);
  });
});
