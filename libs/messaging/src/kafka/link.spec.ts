import { describe, expect, it } from '@jest/globals';
import { createLink } from './link.js';

const DEADLINE_MS = 60_000;

describe('a link to Kafka', () => {
  /** What would connect, and how often it has. */
  const linked = () => {
    const times = { connected: 0, disconnected: 0 };
    const link = createLink({
      ...{ connection: { brokers: ['127.0.0.1:1'] }, log: undefined, survives: () => false },
      create: () => ({
        connect: () => Promise.resolve(void (times.connected += 1)),
        disconnect: () => Promise.resolve(void (times.disconnected += 1)),
      }),
    });
    return { link, times };
  };

  it('connects when it is first used, and again after a failure', async () => {
    const { link, times } = linked();
    expect(times.connected).toBe(0);
    const use = (work: () => Promise<string>) => link.use(DEADLINE_MS, 'asking', work);
    expect(await use(() => Promise.resolve('one'))).toBe('one');
    expect(await use(() => Promise.resolve('two'))).toBe('two');
    expect(times.connected).toBe(1);
    await expect(use(() => Promise.reject(new Error('lost')))).rejects.toThrow('lost');
    expect(await use(() => Promise.resolve('three'))).toBe('three');
    expect(times.connected).toBe(2);
    await link.close();
    expect(times.disconnected).toBe(1);
  });

  it('connects no more once it is closed: who asks again then would keep the process', async () => {
    const { link, times } = linked();
    const use = () => link.use(DEADLINE_MS, 'asking', () => Promise.resolve('answer'));
    await use();
    await link.close();
    await expect(use()).rejects.toThrow('asking: this client is closed');
    expect(times).toEqual({ connected: 1, disconnected: 1 });
  });
});
