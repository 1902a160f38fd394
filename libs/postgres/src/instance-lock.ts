import { type Lease, tryLease } from './lease.js';

/**
 * Held by the one process that may work on this server under this name; the lock ends with its
 * process. Error: another process holds it.
 */
export async function holdInstanceLock(adminUrl: string, name: string): Promise<Lease> {
  const lease = await tryLease(adminUrl, `instance ${name}`, null);
  if (lease) return lease;
  const { host } = new URL(adminUrl);
  throw new Error(
    `Another ${name} process already works on the PostgreSQL server at ${host}. Stop it first, or give this one a server of its own.`,
  );
}
