import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from './run-command.js';

const CACHE = '/var/cache/patchtrail/demo';
const DEBOOTSTRAP_MS_MAX = 600_000;

/**
 * A minimal system of the release, built once per mirror and kept for later runs.
 * It is never mounted writable: endpoints are overlays on top of it.
 */
export async function baseChroot(
  release: Readonly<{ codename: string; architecture: string; mirror: string }>,
  progress: (line: string) => void,
): Promise<string> {
  const { codename, architecture, mirror } = release;
  const key = createHash('sha256').update(mirror).digest('hex').slice(0, 12);
  const place = join(CACHE, `${codename}-${architecture}-${key}`);
  if (await exists(join(place, 'var/lib/dpkg/status'))) return place;
  progress(`Building a minimal ${codename} system from ${mirror} (once; kept in ${CACHE})`);
  await mkdir(CACHE, { recursive: true, mode: 0o755 });
  const draft = await mkdtemp(join(CACHE, 'draft-'));
  try {
    const options = ['--variant=minbase', '--include=ca-certificates', `--arch=${architecture}`];
    await command(['debootstrap', ...options, codename, draft, mirror], DEBOOTSTRAP_MS_MAX);
    await rm(join(draft, 'var/cache/apt/archives'), { recursive: true });
    await mkdir(join(draft, 'var/cache/apt/archives/partial'), { recursive: true });
    // A temporary folder is closed to others; the system's root must not be, or _apt cannot work.
    await command(['chmod', '755', draft]);
    await rename(draft, place).catch(async (error: unknown) => {
      // Another run was faster; its system is as good.
      if (!(await exists(join(place, 'var/lib/dpkg/status')))) throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return place;
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
