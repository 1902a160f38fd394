import { parseConnectionUrl } from './connection-url.js';
import { createLeaderClient, type LeaderClient } from './leader-client.js';

/** A client that several stores of this process use together. */
export type ClientLease = Readonly<{
  client: LeaderClient;
  /** The last one to return it closes it. */
  release: () => Promise<void>;
}>;

type Shared = { url: string; client: LeaderClient; users: number };

let shared: Shared | null = null;

/**
 * The one client of this process: an error on the connection of one client would reject the calls
 * of every other, so there is never a second one.
 * @throws InvalidConnectionUrl; Error where a client for another URL is open
 */
export function leaseClient(url: string): ClientLease {
  const connection = parseConnectionUrl(url);
  const mine = shared ?? { url, client: createLeaderClient(connection), users: 0 };
  if (mine.url !== url) {
    throw new Error(
      'EventStoreDB: a process holds one client, and one for another URL is open. Close it first.',
    );
  }
  shared = mine;
  mine.users += 1;
  let isReleased = false;
  return {
    client: mine.client,
    release: async () => {
      if (isReleased) return;
      isReleased = true;
      mine.users -= 1;
      if (mine.users > 0) return;
      shared = null;
      await mine.client.close();
    },
  };
}
