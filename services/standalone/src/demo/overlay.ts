import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from './run-command.js';

/** A writable copy of read-only layers; `layers` from the uppermost down. */
export async function mountOverlay(
  layers: readonly string[],
  place: string,
): Promise<Readonly<{ root: string; upper: string }>> {
  const [upper, work, root] = ['upper', 'work', 'root'].map((name) => join(place, name)) as [
    string,
    string,
    string,
  ];
  for (const folder of [upper, work, root]) await mkdir(folder, { recursive: true });
  const options = `lowerdir=${layers.join(':')},upperdir=${upper},workdir=${work}`;
  await command(['mount', '-t', 'overlay', 'overlay', '-o', options, root]);
  return { root, upper };
}

export async function mountProc(root: string): Promise<void> {
  await command(['mount', '-t', 'proc', 'proc', join(root, 'proc')]);
}

/** Takes a mount away with everything below it; what is busy goes when it is let go. */
export async function unmount(root: string): Promise<void> {
  await command(['umount', '--recursive', '--lazy', root]);
}
