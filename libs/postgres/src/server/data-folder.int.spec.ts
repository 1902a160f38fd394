import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataFolders, superuserPassword } from './data-folder.js';

describe('a place for data', () => {
  let place: string;
  beforeEach(async () => {
    place = await mkdtemp(join(tmpdir(), 'patchtrail-place-'));
  });
  afterEach(() => rm(place, { recursive: true, force: true }));

  it('has one password, however many ask for it first', async () => {
    const asked = Array.from({ length: 16 }, () => superuserPassword(place, undefined));
    const passwords = new Set(await Promise.all(asked));
    expect(passwords.size).toBe(1);
    expect([...passwords][0]).toMatch(/^[\w-]{43}$/);
    expect(passwords).toContain(await superuserPassword(place, undefined));
    expect(await readdir(place)).toEqual(['password']);
  });

  it('knows finished data folders by kind and major version', async () => {
    for (const name of ['embedded-18', 'installed-15', 'installed-16.unfinished-1', 'other-17'])
      await mkdir(join(place, name));
    expect(new Set(await dataFolders(place))).toEqual(
      new Set([
        { kind: 'embedded', major: 18 },
        { kind: 'installed', major: 15 },
      ]),
    );
  });
});
