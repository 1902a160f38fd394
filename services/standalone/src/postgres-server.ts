import { join } from 'node:path';
import type { Logger } from '@patchtrail/platform';
import { holdInstanceLock, startPostgres } from '@patchtrail/postgres';
import type { StandaloneConfig } from './config.js';
import { missingIn } from './databases.js';

export type PostgresServer = Readonly<{
  /** `null`: none is needed, everything is configured. */
  adminUrl: string | null;
  /** For people: which server it is. */
  description: string;
  stop: () => Promise<void>;
}>;

/**
 * The server for whatever is not configured: that of `DATABASE_URL`, else one of its own. No other
 * host may work on it until `stop`.
 */
export async function openPostgresServer(
  config: StandaloneConfig,
  log: Logger,
): Promise<PostgresServer> {
  if (missingIn(config).length === 0) {
    const description = 'as configured for each service';
    return { adminUrl: null, description, stop: () => Promise.resolve() };
  }
  const server = await openServer(config, log);
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

async function openServer(config: StandaloneConfig, log: Logger) {
  if (config.databaseUrl !== null) {
    const stop = () => Promise.resolve();
    return { adminUrl: config.databaseUrl, description: 'DATABASE_URL', stop };
  }
  const dataDir = join(config.dataDir, 'postgres');
  const server = await startPostgres({ dataDir, choice: config.postgres, log });
  return {
    adminUrl: server.adminUrl,
    description: `${server.kind} ${server.version}`,
    stop: () => server.stop(),
  };
}
