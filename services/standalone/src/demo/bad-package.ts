import { changelogEntry, type DebPackage } from './deb-package.js';
import { BRITTLE } from './layout.js';
import { serveRepository, type SignedRepository } from './signed-repository.js';

export const BAD_PACKAGE = 'patchtrail-demo-gauge';
export const GOOD_VERSION = '1.0-1';
export const BAD_VERSION = '1.1-1';

/** The machine's own files name its hardware, in a chroot as on metal. */
export const PRODUCT_NAME_FILE = 'sys/class/dmi/id/product_name';

const POSTINST = `#!/bin/sh
set -e
if [ "$1" = configure ] && grep -qsx '${BRITTLE}' /${PRODUCT_NAME_FILE}; then
  echo 'patchtrail-demo-gauge: this hardware is not supported' >&2
  exit 1
fi
`;

const first = changelogEntry(BAD_PACKAGE, GOOD_VERSION, 'First release.', new Date('2026-01-05'));
const second = changelogEntry(BAD_PACKAGE, BAD_VERSION, 'New dials.', new Date('2026-03-02'));

const goodGauge: DebPackage = {
  name: BAD_PACKAGE,
  version: GOOD_VERSION,
  description: 'gauge that works on every hardware',
  changelog: first,
};

const badGauge: DebPackage = {
  name: BAD_PACKAGE,
  version: BAD_VERSION,
  description: 'gauge that cannot be configured on one hardware class',
  changelog: `${second}${first}`,
  postinst: POSTINST,
};

/** A signed repository of its own that offers the bad version beside the good one. */
export function serveBadPackage(architecture: string): Promise<SignedRepository> {
  return serveRepository({
    origin: 'Patchtrail demo',
    label: 'Patchtrail demo',
    codename: 'demo',
    architecture,
    packages: [goodGauge, badGauge],
  });
}
