import { userInfo } from 'node:os';
import { type Account, run } from './command.js';

const UNPRIVILEGED = ['postgres', '_postgres', 'nobody', 'daemon'];

async function idOf(name: string, flag: '-u' | '-g'): Promise<number | undefined> {
  const { ok, stdout } = await run({
    file: '/usr/bin/env',
    args: ['id', flag, name],
    account: undefined,
  });
  const id = Number(stdout.trim());
  return ok && Number.isInteger(id) && id > 0 ? id : undefined;
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * PostgreSQL refuses to run as root, and initdb refuses a uid without an account. Root therefore
 * hands it to an existing unprivileged account; everyone else runs it as themselves.
 */
export async function serverAccount(): Promise<Account | undefined> {
  if (!isRoot()) {
    try {
      userInfo();
    } catch (cause) {
      throw new Error(
        `PostgreSQL needs an account, and uid ${String(process.getuid?.())} has none. Run as an account of this host, or set DATABASE_URL.`,
        { cause },
      );
    }
    return undefined;
  }
  for (const name of UNPRIVILEGED) {
    const [uid, gid] = [await idOf(name, '-u'), await idOf(name, '-g')];
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new Error(
    `PostgreSQL does not run as root, and this host has none of the accounts ${UNPRIVILEGED.join(', ')}. Create one, or set DATABASE_URL.`,
  );
}
