import { Client } from 'pg';

/**
 * Tells readers that something was appended, as far as the notifications of the server arrive.
 * They are a hint: a reader that waits too long looks for itself.
 */
export type WakeUps = {
  /** Changes with every notification: take it before looking for events, then wait with it. */
  count(): number;
  /** Resolves on a notification later than `since`, after `ms`, or when the signal aborts. */
  after(since: number, ms: number, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
};

export function createWakeUps(url: string, applicationName: string): WakeUps {
  const waiting = new Set<() => void>();
  let notifications = 0;
  let listener: Client | null = null;
  let isClosed = false;

  const wakeAll = () => {
    notifications += 1;
    for (const wake of [...waiting]) wake();
  };

  const listen = () => {
    if (listener !== null || isClosed) return;
    const client = new Client({
      connectionString: url,
      application_name: applicationName,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
    });
    listener = client;
    const forget = () => {
      if (listener === client) listener = null;
    };
    client.on('error', forget);
    client.on('end', forget);
    client.on('notification', wakeAll);
    // Failing here costs nothing but speed: readers poll, and their next wait tries again.
    client
      .connect()
      .then(() => client.query('LISTEN event_store'))
      .then(wakeAll)
      .catch(() => {
        forget();
        client.end().catch(() => undefined);
      });
  };

  return {
    count: () => notifications,
    after: (since, ms, signal) => {
      listen();
      if (signal.aborted || isClosed || since !== notifications) return Promise.resolve();
      return new Promise((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        const timer = setTimeout(wake, ms);
        waiting.add(wake);
        signal.addEventListener('abort', wake);
      });
    },
    close: async () => {
      isClosed = true;
      wakeAll();
      await listener?.end().catch(() => undefined);
    },
  };
}
