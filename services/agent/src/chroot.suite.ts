import { execFile } from 'node:child_process';
import { access, chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openArchive } from './archive.suite.js';

const execute = promisify(execFile);
const MIRROR = 'http://deb.debian.org/debian';
const SUITE = 'bookworm';

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function hostIsDebian(): boolean {
  try {
    return /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}

const basePath = () => join(tmpdir(), `patchtrail-agent-test-base-${SUITE}`);

async function mirrorAnswers(): Promise<boolean> {
  try {
    const url = `${MIRROR}/dists/${SUITE}/InRelease`;
    return (await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(5_000) })).ok;
  } catch {
    return false;
  }
}

/** Why this host cannot run apt in chroots; `null` when it can. */
export async function missingForChroots(): Promise<string | null> {
  if (process.getuid?.() !== 0) return 'apt in a chroot needs root';
  if (!hostIsDebian()) return 'apt in a chroot needs Debian';
  if (!(await exists('/usr/sbin/debootstrap'))) {
    return 'apt in a chroot needs debootstrap (apt-get install debootstrap)';
  }
  if ((await exists(basePath())) || (await mirrorAnswers())) return null;
  return `apt in a chroot needs the mirror ${MIRROR}`;
}

/** Built once for the host; the rename makes it whole or absent, whoever else builds it too. */
async function buildBase(): Promise<string> {
  const base = basePath();
  if (await exists(base)) return base;
  const fresh = await mkdtemp(join(tmpdir(), 'patchtrail-agent-test-fresh-'));
  await execute('debootstrap', ['--variant=minbase', SUITE, fresh, MIRROR], {
    maxBuffer: 64 * 1024 * 1024,
    timeout: 300_000,
  });
  await execute('chroot', [fresh, 'apt-get', 'clean']);
  await rm(join(fresh, 'var/lib/apt/lists'), { recursive: true });
  await mkdir(join(fresh, 'var/lib/apt/lists/partial'), { recursive: true });
  await rm(join(fresh, 'etc/apt/sources.list'), { force: true });
  await chmod(fresh, 0o755);
  await rename(fresh, base).catch(() => rm(fresh, { recursive: true, force: true }));
  return base;
}

async function fillChroot(path: string): Promise<void> {
  await execute('cp', ['-a', `${await buildBase()}/.`, path]);
  await mkdir(join(path, 'srv/repo'), { recursive: true });
  await writeFile(join(path, 'etc/hostname'), 'chroot-of-a-test\n');
  await mkdir(join(path, 'sys/class/dmi/id'), { recursive: true });
  await writeFile(join(path, 'sys/class/dmi/id/product_name'), 'Model B\n');
  await writeFile(
    join(path, 'etc/apt/sources.list.d/test.sources'),
    'Types: deb\nURIs: file:/srv/repo\nSuites: ./\nTrusted: yes\n',
  );
}

/** A chroot of its own, with an archive of its own that apt is told to trust. */
export async function makeChroot() {
  const path = await mkdtemp(join(tmpdir(), 'patchtrail-agent-test-root-'));
  await fillChroot(path);
  const inside = async (...command: string[]) => {
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' };
    const options = { env: { ...env, DEBIAN_FRONTEND: 'noninteractive' }, timeout: 60_000 };
    return (await execute('chroot', [path, ...command], options)).stdout;
  };
  const archive = openArchive(join(path, 'srv/repo'), async () => {
    await inside('apt-get', 'update', '-q');
  });
  return {
    path,
    inside,
    archive,
    remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }),
    install: async (...specs: string[]) => {
      await inside('apt-get', 'install', '-y', '-q', ...specs);
    },
    /** `<version> <status>`, empty when dpkg does not know it. */
    state: async (name: string) => {
      const format = '--showformat=${Version} ${db:Status-Abbrev}';
      const text = await inside('dpkg-query', '-W', format, name).catch(() => '');
      return text.trim();
    },
    history: () => readFile(join(path, 'var/log/apt/history.log'), 'utf8'),
  };
}
export type Chroot = Awaited<ReturnType<typeof makeChroot>>;
