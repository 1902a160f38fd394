import { readFile } from 'node:fs/promises';
import { exists } from './base-chroot.js';
import { command, tryCommand } from './run-command.js';

export type Archive = Readonly<{ uri: string; suite: string }>;

/** Where the host itself gets its release and its security updates from. */
export type DebianHost = Readonly<{
  codename: string;
  architecture: string;
  base: Archive;
  security: Archive;
  /** Path of the keyring that both are signed with. */
  keyring: string;
}>;

/** Why chroots cannot be made here, and the command that adds what is missing. */
export type Hindrance = Readonly<{ reason: string; remedy: string }>;

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** What the demo needs of its host to run real apt in chroots, or the first thing that is missing. */
export async function findDebianHost(
  mirror: string | null,
): Promise<{ host: DebianHost } | { hindrance: Hindrance }> {
  const osRelease = await readFile('/etc/os-release', 'utf8').catch(() => '');
  if (!/^ID="?debian"?$/m.test(osRelease)) {
    return missing('this host is not Debian', 'run it on a Debian host');
  }
  if (process.getuid?.() !== 0) return missing('not running as root', 'sudo npm run demo');
  if (!(await exists('/usr/sbin/debootstrap'))) {
    return missing('debootstrap is not installed', 'apt-get install debootstrap');
  }
  if (!(await exists(KEYRING))) {
    return missing(`${KEYRING} is missing`, 'apt-get install debian-archive-keyring');
  }
  const codename = /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(osRelease)?.[1] ?? '';
  return describeHost(codename, mirror);
}

async function describeHost(
  codename: string,
  mirror: string | null,
): Promise<{ host: DebianHost } | { hindrance: Hindrance }> {
  const archives = await configuredArchives();
  const base = archives.find(({ suite }) => suite === codename);
  const security = archives.find(({ suite }) => suite === `${codename}-security`);
  if (base === undefined || security === undefined) {
    return missing(
      `apt has no ${codename} and ${codename}-security with component main`,
      'add both to /etc/apt/sources.list.d',
    );
  }
  if ((await tryCommand(MOUNT_TRIAL)).code !== 0) {
    return missing(
      'an overlay cannot be mounted here',
      'run it where mounting is allowed (for a container: --cap-add SYS_ADMIN)',
    );
  }
  const architecture = (await command(['dpkg', '--print-architecture'])).trim();
  const from = mirror === null ? base : { ...base, uri: mirror };
  return { host: { codename, architecture, base: from, security, keyring: KEYRING } };
}

/** As apt itself reads its files, one-line and deb822 alike. */
async function configuredArchives(): Promise<readonly Archive[]> {
  const format = '$(REPO_URI) $(RELEASE) $(COMPONENT)';
  const text = await command([
    'apt-get',
    'indextargets',
    '--format',
    format,
    'Created-By: Packages',
  ]);
  return text.split('\n').flatMap((line) => {
    const [uri, suite, component] = line.split(' ');
    if (uri === undefined || suite === undefined || component !== 'main') return [];
    return [{ uri: uri.replace(/\/+$/, ''), suite }];
  });
}

function missing(reason: string, remedy: string): { hindrance: Hindrance } {
  return { hindrance: { reason, remedy } };
}

const MOUNT_TRIAL = [
  'unshare',
  '--mount',
  'sh',
  '-c',
  'd=$(mktemp -d) && mount -t tmpfs tmpfs "$d" && mkdir "$d/l" "$d/u" "$d/w" "$d/m" && mount -t overlay overlay -o "lowerdir=$d/l,upperdir=$d/u,workdir=$d/w" "$d/m"; e=$?; umount -R "$d" 2>/dev/null; rmdir "$d"; exit $e',
];
