import { open, readFile, rename } from 'node:fs/promises';
import { errorCode } from '../process/error-code.js';
import { dirname } from 'node:path';

/** The text of a file, `null` when there is none. */
export async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Replaces a file as a whole: after a crash there is the old text or the new one. */
export async function replaceFile(path: string, text: string, mode = 0o600): Promise<void> {
  const fresh = `${path}.new`;
  const file = await open(fresh, 'w', mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(fresh, path);
  await syncFolder(dirname(path));
}

/**
 * Appends and waits until the disk has it. What is behind the first `bytes` bytes is cut off before:
 * the beginning of a write that failed, as on a full disk.
 */
export async function appendDurably(path: string, text: string, bytes = Infinity): Promise<void> {
  const file = await open(path, 'a', 0o600);
  try {
    if ((await file.stat()).size > bytes) await file.truncate(bytes);
    await file.appendFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
