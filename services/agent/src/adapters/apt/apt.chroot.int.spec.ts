import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lane } from '@patchtrail/testing/lane';
import { afterAll, beforeAll, beforeEach, it } from '@jest/globals';
import { runAgent } from '../../agent.js';
import type { AgentOptions } from '../../config.js';
import { entriesOf } from '../../domain/history-log.js';
import type { Lease } from '../../domain/lease.js';
import { type Chroot, makeChroot, missingForChroots } from '../../chroot.suite.js';
import { leaseOf, type LeasedArtifact, rollbackOf } from '../../leases.suite.js';
import {
  type PatchtrailServer,
  startPatchtrailServer,
  TOKEN,
} from '../../patchtrail-server.suite.js';

const missing = await missingForChroots();

lane('apt in a chroot', missing, () => {
  let chroot: Chroot;
  let server: PatchtrailServer;
  let stateDir: string;
  const cleanups: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    assert.equal(missing, null, String(missing));
    chroot = await makeChroot();
    cleanups.push(chroot.remove);
    stateDir = await mkdtemp(join(tmpdir(), 'patchtrail-agent-test-state-'));
    cleanups.push(() => rm(stateDir, { recursive: true }));
    server = await startPatchtrailServer();
    cleanups.push(server.close);
  }, 300_000);
  afterAll(async () => {
    for (const cleanUp of cleanups.reverse()) await cleanUp();
  });
  beforeEach(() => {
    if (missing !== null) return;
    server.seen.reports.length = 0;
    server.seen.inventories.length = 0;
  });

  /** One round of the agent; answers its report. */
  const run = async (rest: Partial<AgentOptions> = {}) => {
    const options: AgentOptions = {
      target: { kind: 'root', path: chroot.path },
      serverUrl: server.url,
      deploymentUrl: server.url,
      enrolToken: TOKEN,
      stateDir,
      pollMs: 50,
      inventoryMs: 600_000,
      probe: null,
      mode: 'once',
      requestTimeoutMs: 5_000,
      aptTimeoutMs: 60_000,
      ...rest,
    };
    await runAgent(options, new AbortController().signal, () => undefined);
    return server.seen.reports.at(-1);
  };
  const offer = (artifact: LeasedArtifact, overrides: Partial<Lease> = {}) => {
    const lease = leaseOf(server.endpointId, artifact, overrides);
    server.control.offer = lease;
    return lease;
  };
  const offerRollback = (undone: Lease) => {
    const lease = rollbackOf(undone);
    server.control.offer = lease;
    return lease;
  };
  const transactionsOf = async ({ attemptId }: Lease) =>
    entriesOf(await chroot.history(), attemptId).length;
  /** Installs version 1.0, then offers the upgrade to 2.0. */
  const published = async (name: string, next: { depends?: string; postinst?: string } = {}) => {
    await chroot.archive.publish({ name, version: '1.0' });
    await chroot.install(`${name}=1.0`);
    const sha256 = await chroot.archive.publish({ name, version: '2.0', ...next });
    return { package: name, version: '2.0', sha256 };
  };

  it('takes the inventory of a root', async () => {
    await published('inv');
    await chroot.inside('apt-mark', 'hold', 'tar');
    await run({ mode: 'inventory-only' });
    await chroot.inside('apt-mark', 'unhold', 'tar');
    const inventory = server.seen.inventories[0] ?? {};
    const packages = inventory['packages'] as { name: string }[];
    assert.deepEqual(
      packages.find(({ name }) => name === 'inv'),
      {
        ...{ name: 'inv', version: '1.0', architecture: 'all', status: 'ii ' },
        ...{ sourceName: 'inv', sourceVersion: '1.0' },
      },
    );
    assert.deepEqual(inventory['pendingUpgrades'], [
      {
        ...{ package: 'inv', architecture: 'all', from: '1.0', to: '2.0' },
        origins: ['localhost'],
      },
    ]);
    assert.deepEqual(inventory['holds'], ['tar:amd64']);
    assert.deepEqual(inventory['trustProblems'], ['file:/srv/repo: trusted=yes']);
    assert.equal(inventory['aptProblem'], null);
    assert.equal(server.seen.enrolments[0]?.body['hostname'], 'chroot-of-a-test');
    assert.equal(server.seen.enrolments[0].body['hardwareModel'], 'Model B');
  }, 120_000);

  it('says so when the indexes cannot be refreshed, and goes on', async () => {
    const broken = join(chroot.path, 'etc/apt/sources.list.d/broken.list');
    await writeFile(broken, 'deb [trusted=yes] file:/srv/nowhere ./\n');
    await run({ mode: 'inventory-only' });
    await rm(broken);
    assert.match(String(server.seen.inventories[0]?.['aptProblem']), /\/srv\/nowhere/);
    assert.notEqual(server.seen.inventories[0]?.['packages'], undefined);
  }, 120_000);

  it('upgrades with a new dependency, and restores exactly that from kept files', async () => {
    await chroot.archive.publish({ name: 'newdep', version: '1.0' });
    const upgrade = await published('alpha', { depends: 'newdep' });
    await chroot.inside('apt-mark', 'auto', 'alpha');
    const install = offer(upgrade);
    const verified = await run({ probe: 'test "$(cat /usr/share/alpha/version)" = 2.0' });
    assert.equal(verified?.detail, '');
    assert.equal(verified.outcome, 'verified');
    assert.deepEqual(
      verified.versions.map(({ package: name, before, after }) => [name, before, after]),
      [
        ['newdep', null, '1.0'],
        ['alpha', '1.0', '2.0'],
      ],
    );
    assert.equal(await chroot.state('alpha'), '2.0 ii');
    assert.match(await chroot.inside('apt-mark', 'showauto'), /^alpha$/m);
    assert.equal(await transactionsOf(install), 1);

    await chroot.archive.withdraw({ name: 'alpha', version: '1.0' });
    const back = offerRollback(install);
    const restored = await run();
    assert.equal(restored?.detail, '');
    assert.equal(restored.outcome, 'rolled-back');
    assert.equal(await chroot.state('alpha'), '1.0 ii');
    assert.equal(await chroot.state('newdep'), '');
    assert.match(await chroot.inside('apt-mark', 'showauto'), /^alpha$/m);
    assert.equal(await transactionsOf(back), 1);

    const again = offerRollback(install);
    assert.equal((await run())?.outcome, 'rolled-back');
    assert.equal(await transactionsOf(again), 0);
  }, 120_000);

  it('finds the way back when the archive has lost a file that its index still names', async () => {
    const install = offer(await published('lost'));
    assert.equal((await run())?.outcome, 'verified');
    await chroot.archive.lose({ name: 'lost', version: '1.0' });
    offerRollback(install);
    const restored = await run();
    assert.equal(restored?.detail, '');
    assert.equal(restored.outcome, 'rolled-back');
    assert.equal(await chroot.state('lost'), '1.0 ii');
    await chroot.archive.publish({ name: 'lost', version: '1.0' });
  }, 120_000);

  it('refuses a way back over a kept file that was altered', async () => {
    const install = offer(await published('altered'));
    assert.equal((await run())?.outcome, 'verified');
    const kept = `var/cache/patchtrail/${install.attemptId}/altered_1.0_all.deb`;
    const other = await readFile(join(chroot.path, 'srv/repo/altered_2.0_all.deb'));
    await writeFile(join(chroot.path, kept), other);
    const back = offerRollback(install);
    const refused = await run();
    assert.deepEqual(
      [refused?.outcome, refused?.class],
      ['rollback-failed', 'no-rollback-artifact'],
    );
    assert.equal(await transactionsOf(back), 0);
    assert.equal(await chroot.state('altered'), '2.0 ii');
  }, 120_000);

  it('names a failed script, and repairs the endpoint by the way back', async () => {
    const innocent = await published('innocent');
    const install = offer(
      await published('bad', { postinst: 'echo E: Could not get lock; exit 3' }),
    );
    const failed = await run();
    assert.equal(failed?.outcome, 'failed');
    assert.equal(failed.class, 'maintainer-script');
    assert.equal(failed.transient, false);
    assert.match(failed.detail, /post-installation script subprocess returned error exit status 3/);
    assert.equal(await chroot.state('bad'), '2.0 iF');
    const other = offer(innocent);
    assert.equal((await run())?.class, 'dpkg-broken');
    assert.equal(await transactionsOf(other), 0);
    const back = offerRollback(install);
    assert.equal((await run())?.outcome, 'rolled-back');
    assert.equal(await chroot.state('bad'), '1.0 ii');
    assert.equal(await transactionsOf(back), 1);
    assert.equal(await chroot.inside('dpkg', '--audit'), '');
  }, 120_000);

  it('runs the probe, and reports what it said', async () => {
    offer(await published('probed'));
    const report = await run({ probe: 'echo sick; exit 4' });
    assert.equal(report?.outcome, 'failed');
    assert.equal(report.class, 'probe-failed');
    assert.match(report.detail, /ended with 4: sick/);
    assert.deepEqual(report.versions[0]?.after, '2.0');
  }, 120_000);

  it('knows when there is nothing to do', async () => {
    const upgrade = await published('done');
    await chroot.install('done=2.0');
    const lease = offer(upgrade);
    assert.equal((await run())?.outcome, 'already-compliant');
    assert.equal(await transactionsOf(lease), 0);
  }, 120_000);

  it.each<[string, string, () => Promise<LeasedArtifact>, RegExp]>([
    [
      'the package is absent',
      'not-applicable',
      () => published('absent').then((one) => ({ ...one, package: 'nowhere' })),
      /No package/,
    ],
    [
      'the version is unknown',
      'version-not-found',
      () => published('unknown').then((one) => ({ ...one, version: '9' })),
      /'9' for 'unknown'/,
    ],
    [
      'the bytes are not the approved ones',
      'artifact-mismatch',
      () => published('other').then((one) => ({ ...one, sha256: 'b'.repeat(64) })),
      /other 2\.0 all/,
    ],
    [
      'the owner holds the package',
      'held',
      async () => {
        const upgrade = await published('holding');
        await chroot.inside('apt-mark', 'hold', 'holding');
        return upgrade;
      },
      /holding/,
    ],
    [
      'the way back is not to be had',
      'no-rollback-artifact',
      async () => {
        const upgrade = await published('oneway');
        await chroot.archive.withdraw({ name: 'oneway', version: '1.0' });
        return upgrade;
      },
      /oneway 1\.0 is not to be had/,
    ],
    [
      'it would remove a package',
      'plan-refused',
      async () => {
        await published('victim');
        await chroot.archive.publish({ name: 'bully', version: '1.0' });
        await chroot.install('bully=1.0');
        const sha256 = await chroot.archive.publish({
          ...{ name: 'bully', version: '2.0' },
          depends: 'dpkg\nConflicts: victim',
        });
        return { package: 'bully', version: '2.0', sha256 };
      },
      /would remove victim 1\.0/,
    ],
  ])(
    'changes nothing where %s',
    async (_, failureClass, prepare, detail) => {
      const lease = offer(await prepare());
      const before = await chroot.inside('dpkg-query', '-W');
      const report = await run();
      assert.equal(report?.class, failureClass);
      assert.equal(report.outcome, 'failed');
      assert.match(report.detail, detail);
      assert.equal(await transactionsOf(lease), 0);
      assert.equal(await chroot.inside('dpkg-query', '-W'), before);
    },
    60_000,
  );

  it('starts no service in a root', async () => {
    offer(await published('service', { postinst: 'test -x /usr/sbin/policy-rc.d' }));
    assert.equal((await run())?.outcome, 'verified');
    const answer = await chroot.inside('sh', '-c', '/usr/sbin/policy-rc.d x start; echo $?');
    assert.equal(answer.trim(), '101');
  }, 120_000);

  it('ends a script that hangs, and finds the way back from there', async () => {
    const install = offer(await published('hanging', { postinst: 'sleep 1000' }));
    const report = await run({ aptTimeoutMs: 4_000 });
    assert.equal(report?.class, 'timeout');
    assert.equal((await chroot.state('hanging')).startsWith('2.0 i'), true);
    offerRollback(install);
    const restored = await run();
    assert.equal(restored?.detail, '');
    assert.equal(await chroot.state('hanging'), '1.0 ii');
  }, 120_000);
});
