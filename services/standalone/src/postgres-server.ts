import { join } from 'node:path';
import type { Logger } from '@patchtrail/platform';
import { holdInstanceLock, startPostgres } from '@patchtrail/postgres';
import type { StandaloneConfig } from './config.js';

export type PostgresServer = Readonly<{
  adminUrl: string;
  /** For people: which server it is. */
  description: string;
  stop: () => Promise<void>;
}>;

/** Starts a server on `<dataDir>/postgres`. */
export type StartServer = (config: StandaloneConfig, log: Logger) => Promise<PostgresServer>;

/** `null`: there is no server, for everything is configured. */
export type OpenServer = Omit<PostgresServer, 'adminUrl'> & Readonly<{ adminUrl: string | null }>;

/**
 * The server for databases that are not configured: that of `DATABASE_URL`, else one of its own. No other
 * host may work on it until `stop`.
 */
export async function openPostgresServer(
  config: StandaloneConfig,
  missing: readonly string[],
  log: Logger,
  start: StartServer = startOwn,
): Promise<OpenServer> {
  const { databaseUrl } = config;
  if (missing.length === 0) return given(null, 'as configured for each service');
  if (databaseUrl !== null) return held(given(databaseUrl, 'DATABASE_URL'));
  return held(await start(config, log));
}

function given<T extends string | null>(adminUrl: T, description: string) {
  return { adminUrl, description, stop: () => Promise.resolve() };
}

async function held(server: PostgresServer): Promise<PostgresServer> {
  try {
    const instance = await holdInstanceLock(server.adminUrl, 'patchtrail-standalone');
    const stop = async () => {
      await instance.release();
      await server.stop();
    };
    return { ...server, stop };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function startOwn({ dataDir, postgres }: StandaloneConfig, log: Logger) {
  const server = await startPostgres({ dataDir: join(dataDir, 'postgres'), choice: postgres, log });
  return {
    adminUrl: server.adminUrl,
    description: `${server.kind} ${server.version}`,
    stop: () => server.stop(),
  };
}
