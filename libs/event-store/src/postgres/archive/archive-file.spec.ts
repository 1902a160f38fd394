import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ArchiveDamaged, type ArchivedEvent, openArchive, writeArchive } from './archive-file.js';

const eventAt = (position: string): ArchivedEvent => ({
  ...{ position, stream: 'a-1', revision: Number(position) - 1, id: position, type: 'T' },
  ...{ data: '{}', metadata: '{}', recordedAt: '2026-11-21' },
});

describe('an archive', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'patchtrail-archive-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const events = [eventAt('1'), eventAt('2')];
  const written = () => {
    const range = { store: 's', from: '1', to: '3' };
    const each = async function* () {
      yield* await Promise.resolve(events);
    };
    return writeArchive(folder, range, each());
  };
  const read = async () => {
    const { events: lines } = await openArchive(folder, '1', '3');
    const found: ArchivedEvent[] = [];
    for await (const event of lines()) found.push(event);
    return found;
  };

  it('holds what was written', async () => {
    await written();
    expect(await read()).toEqual(events);
  });

  it('that ends within a line is damaged, whatever its manifest says', async () => {
    const manifest = await written();
    const path = join(folder, manifest.file);
    const cut = gzipSync(gunzipSync(await readFile(path)).subarray(0, -1));
    await writeFile(path, cut);
    const sha256 = createHash('sha256').update(cut).digest('hex');
    const place = join(folder, 'events-1-3.manifest.json');
    await writeFile(place, JSON.stringify({ ...manifest, sha256 }));
    await expect(read()).rejects.toThrow(ArchiveDamaged);
  });

  it('that goes away while it is read says so', async () => {
    const manifest = await written();
    const { events: lines } = await openArchive(folder, '1', '3');
    await rm(join(folder, manifest.file));
    await expect(lines().next()).rejects.toThrow('ENOENT');
  });
});
