import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiDocument, createLogger, writeOpenApi } from '@patchtrail/platform';
import { removePostgres } from '@patchtrail/postgres';
import { standaloneConfig } from './config.js';
import { SERVICE_NAMES } from './services.js';
import { startStandalone } from './standalone.js';

/** Writes what each service serves at /openapi/<name>.json to services/<name>/openapi.json. */
const dataDir = await mkdtemp(join(tmpdir(), 'patchtrail-openapi-'));
const config = { ...standaloneConfig({}), dataDir, port: 0 };
const running = await startStandalone(config, createLogger('openapi', 'warn'));
try {
  for (const name of SERVICE_NAMES) {
    const response = await fetch(`${running.facts.url}/openapi/${name}.json`);
    const file = new URL(`../../${name}/openapi.json`, import.meta.url);
    await writeOpenApi(file, (await response.json()) as ApiDocument);
  }
} finally {
  await running.stop();
  await removePostgres(join(dataDir, 'postgres'));
  await rm(dataDir, { recursive: true });
}
