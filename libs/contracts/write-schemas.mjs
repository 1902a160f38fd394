// Writes schemas/<type>.json for every integration event, and removes what no event has any more.
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { INTEGRATION_EVENTS, jsonSchemaOf } from './src/index.ts';

const folder = new URL('./schemas/', import.meta.url);
await mkdir(folder, { recursive: true });
for (const name of await readdir(folder)) await rm(new URL(name, folder));
for (const definition of INTEGRATION_EVENTS) {
  await writeFile(new URL(`${definition.type}.json`, folder), jsonSchemaOf(definition));
}
