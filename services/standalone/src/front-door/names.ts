import { lookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import type { ServiceName } from '../services.js';
import type { FindReplicas } from './replicas.js';

/** One replica for each address that a service's host name stands for at this moment. */
export function findByName(urls: ReadonlyMap<ServiceName, URL>): FindReplicas {
  return async () => {
    const found = [...urls].map(
      async ([service, url]) => [service, await replicasAt(url)] as const,
    );
    return new Map(await Promise.all(found));
  };
}

/** None while the name is not known: a service of which nothing runs has none. */
async function replicasAt(url: URL): Promise<readonly string[]> {
  const addresses = await lookup(url.hostname.replace(/^\[|\]$/g, ''), { all: true }).catch(
    () => [],
  );
  return addresses.map(({ address }) => {
    const replica = new URL(url);
    replica.hostname = isIPv6(address) ? `[${address}]` : address;
    return replica.origin;
  });
}
