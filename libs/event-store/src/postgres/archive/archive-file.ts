import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline as piped, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';

const FORMAT = 'patchtrail-events-1';
const FILE = /^events-\d+-\d+\.ndjson\.gz$/;

/** One line of an archive. `data` and `metadata` are the text that the database held. */
export type ArchivedEvent = Readonly<{
  position: string;
  stream: string;
  revision: number;
  id: string;
  type: string;
  data: string;
  metadata: string;
  recordedAt: string;
}>;

/** Says what an archive file holds; it lies beside it and is written last. */
export type Manifest = Readonly<{
  format: typeof FORMAT;
  /** The identity of the store that the events are of. */
  store: string;
  /** First position of the range, and the first one after it. */
  from: string;
  to: string;
  events: number;
  file: string;
  /** Of the file as it lies there. */
  sha256: string;
}>;

/** An archive is not what its manifest, or the database, says. */
export class ArchiveDamaged extends Error {
  constructor(
    readonly file: string,
    readonly reason: string,
  ) {
    super(`The archive ${file} cannot be used: ${reason}.`);
    this.name = 'ArchiveDamaged';
  }
}

function manifestPath(directory: string, from: string, to: string): string {
  return join(directory, `events-${from}-${to}.manifest.json`);
}

/** Under another name until it is whole, and on the disk before it is told of. */
export async function writeArchive(
  directory: string,
  description: Pick<Manifest, 'store' | 'from' | 'to'>,
  events: AsyncIterable<ArchivedEvent>,
): Promise<Manifest> {
  const { from, to } = description;
  const file = `events-${from}-${to}.ndjson.gz`;
  const path = join(directory, file);
  const partial = `${path}.partial`;
  let count = 0;
  const lines = async function* () {
    for await (const event of events) {
      count += 1;
      yield `${JSON.stringify(event)}\n`;
    }
  };
  await rm(partial, { force: true });
  await pipeline(Readable.from(lines()), createGzip(), createWriteStream(partial));
  await flush(partial);
  await rename(partial, path);
  const sha256 = await digestOf(path);
  const manifest: Manifest = {
    format: FORMAT,
    ...description,
    events: count,
    file,
    sha256,
  };
  const place = manifestPath(directory, from, to);
  await writeFile(`${place}.partial`, `${JSON.stringify(manifest, null, 2)}\n`);
  await flush(`${place}.partial`);
  await rename(`${place}.partial`, place);
  await flush(directory);
  return manifest;
}

/** @throws ArchiveDamaged where the manifest, the range or the file's digest is not right */
export async function openArchive(
  directory: string,
  from: string,
  to: string,
): Promise<{ manifest: Manifest; events: () => AsyncGenerator<ArchivedEvent> }> {
  const place = manifestPath(directory, from, to);
  const manifest = manifestOf(place, await readFile(place, 'utf8'));
  const path = join(directory, manifest.file);
  if (manifest.from !== from || manifest.to !== to) {
    throw new ArchiveDamaged(place, 'it is of another range');
  }
  if ((await digestOf(path)) !== manifest.sha256) {
    throw new ArchiveDamaged(path, 'its SHA-256 is not that of its manifest');
  }
  return { manifest, events: () => eventsIn(path) };
}

function manifestOf(place: string, text: string): Manifest {
  const manifest = JSON.parse(text) as Readonly<Record<keyof Manifest, unknown>>;
  const rules = {
    format: manifest.format === FORMAT,
    store: typeof manifest.store === 'string',
    from: /^\d+$/.test(String(manifest.from)),
    to: /^\d+$/.test(String(manifest.to)),
    events: Number.isInteger(manifest.events),
    file: FILE.test(String(manifest.file)),
    sha256: /^[0-9a-f]{64}$/.test(String(manifest.sha256)),
  };
  const broken = Object.entries(rules).find(([, holds]) => !holds);
  if (broken !== undefined) throw new ArchiveDamaged(place, `${broken[0]} is not what it must be`);
  return manifest as Manifest;
}

/** Line by line, but not with `readline`: for that U+2028 ends a line, and JSON holds it as it is. */
async function* eventsIn(path: string): AsyncGenerator<ArchivedEvent> {
  const unzipped = createGunzip();
  // A failure of either ends both, and so the loop.
  piped(createReadStream(path), unzipped, () => undefined);
  let rest = '';
  for await (const chunk of unzipped.setEncoding('utf8')) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line) as ArchivedEvent;
  }
  if (rest !== '') throw new ArchiveDamaged(path, 'its last line has no end');
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

async function flush(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
