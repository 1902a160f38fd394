// Writes asyncapi.json: every topic, its messages with a recorded example each, and who reads it.
import { readFile, writeFile } from 'node:fs/promises';
import { asyncApiDocument, INTEGRATION_EVENTS } from './src/index.ts';

const examples = new Map();
for (const { type } of INTEGRATION_EVENTS) {
  const file = new URL(`./golden/${type}.json`, import.meta.url);
  examples.set(type, JSON.parse(await readFile(file, 'utf8')));
}
await writeFile(new URL('./asyncapi.json', import.meta.url), asyncApiDocument(examples));
