import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { endpointSecretDigest, parseEndpointCredential } from '@patchtrail/auth';
import { eventually } from '@patchtrail/testing';
import { afterEach, beforeEach, describe, it } from '@jest/globals';
import { runAgent } from './agent.js';
import { ConfigError } from './config-error.js';
import type { AgentOptions } from './config.js';
import { entriesOf } from './domain/history-log.js';
import type { Lease } from './domain/lease.js';
import { leaseOf, rollbackOf } from './leases.suite.js';
import { type PatchtrailServer, startPatchtrailServer, TOKEN } from './patchtrail-server.suite.js';
import { makeSimulatedEndpoint, type SimulatedEndpoint } from './simulated-endpoint.suite.js';

const UPGRADE = { package: 'alpha', version: '2.0', architecture: 'amd64' };
const BAD_ALPHA = {
  ...({ package: 'alpha', version: '2.0', hardwareModel: 'Model B', during: 'install' } as const),
  ...({ class: 'maintainer-script', transient: false, leaves: 'half-configured' } as const),
  detail: 'post-installation script returned 3',
} as const;

describe('agent', () => {
  let server: PatchtrailServer;
  let endpoint: SimulatedEndpoint;
  let events: { event: string; reason: unknown }[];

  beforeEach(async () => {
    server = await startPatchtrailServer();
    endpoint = await makeSimulatedEndpoint();
    events = [];
  });
  afterEach(async () => {
    await server.close();
    await endpoint.remove();
  });

  const run = (rest: Partial<AgentOptions> = {}, signal = new AbortController().signal) =>
    runAgent(endpoint.options(server.url, rest), signal, (event, fields = {}) => {
      events.push({ event, reason: fields['reason'] });
    });
  const offer = (overrides: Partial<Lease> = {}, artifact = UPGRADE) => {
    const lease = leaseOf(server.endpointId, artifact, overrides);
    server.control.offer = lease;
    return lease;
  };
  const outcomes = () => server.seen.reports.map((one) => [one.outcome, one.class]);
  const transactionsOf = async ({ attemptId }: Lease) =>
    entriesOf(await endpoint.history(), attemptId).length;
  const use = async (changes: Parameters<typeof makeSimulatedEndpoint>[0]) => {
    await endpoint.remove();
    endpoint = await makeSimulatedEndpoint(changes);
  };
  /** Runs a loop until `seen` holds, then stops it. */
  const runUntil = async (seen: () => unknown, rest: Partial<AgentOptions> = {}) => {
    const stop = new AbortController();
    const done = run({ mode: 'loop', ...rest }, stop.signal);
    await eventually(seen).finally(() => {
      stop.abort();
    });
    await done;
  };

  describe('enrolment', () => {
    it('keeps its secret to itself and sends the digest', async () => {
      await run();
      const path = join(endpoint.stateDir, 'identity.json');
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      assert.equal((await stat(endpoint.stateDir)).mode & 0o777, 0o700);
      const { secret } = JSON.parse(await readFile(path, 'utf8')) as { secret: string };
      const [{ body } = { body: {} }] = server.seen.enrolments;
      assert.deepEqual(body, {
        token: TOKEN,
        credentialDigest: endpointSecretDigest(secret),
        hostname: 'sim-1',
        platform: { os: 'debian', release: '12', codename: 'bookworm', architecture: 'amd64' },
        hardwareModel: 'Model B',
        agentVersion: '0.1.0',
      });
      const [header] = [...server.seen.authorizations];
      assert.deepEqual(parseEndpointCredential(String(header).replace('Bearer ', '')), {
        endpointId: server.endpointId,
        secretDigest: endpointSecretDigest(secret),
      });
      assert.equal(JSON.stringify(events).includes(secret), false);
    });
    it('happens once, and repeats itself word for word after a crash in between', async () => {
      await run();
      const path = join(endpoint.stateDir, 'identity.json');
      const identity = JSON.parse(await readFile(path, 'utf8')) as { secret: string };
      await run({ enrolToken: null });
      assert.equal(server.seen.enrolments.length, 1);
      await writeFile(path, JSON.stringify({ ...identity, endpointId: null }));
      await run();
      assert.deepEqual(server.seen.enrolments[1], server.seen.enrolments[0]);
    });
    it('waits for a server that is not there yet', async () => {
      server.control.enrolStatus = 503;
      const done = run();
      await eventually(() => assert.equal(events[0]?.event, 'enrolment-unavailable'));
      server.control.enrolStatus = 201;
      await done;
      assert.equal(server.seen.inventories.length, 1);
    });
    it('ends when the token is refused', async () => {
      server.control.enrolStatus = 409;
      await assert.rejects(run(), /409 said-so/);
    });
    it('needs a token', async () => {
      await assert.rejects(run({ enrolToken: null }), /--enrol-token: is required until/);
    });
  });

  describe('state folder', () => {
    it('is refused when others may look into it', async () => {
      await mkdir(endpoint.stateDir);
      await chmod(endpoint.stateDir, 0o755);
      await assert.rejects(
        run(),
        new ConfigError('--state-dir', 'must belong to this user with mode 0700'),
      );
    });
    it('serves one agent at a time', async () => {
      await runUntil(async () => {
        assert.equal(server.seen.inventories.length, 1);
        await assert.rejects(run(), /--state-dir: another agent is using this folder/);
      });
    });
    it('is refused when the journal is damaged, because guessing could install twice', async () => {
      offer();
      await run();
      const path = join(endpoint.stateDir, 'journal.jsonl');
      const text = await readFile(path, 'utf8');
      await writeFile(path, text.replace('"started"', '"sturted"'));
      await assert.rejects(run(), /journal\.jsonl line 4: /);
    });
    it('loses nothing with the line that a crash cut off', async () => {
      const lease = offer();
      server.control.reportStatus = 503;
      const stop = new AbortController();
      const done = run({ mode: 'loop' }, stop.signal);
      await eventually(() => assert.notEqual(server.seen.reports.length, 0));
      stop.abort();
      await done;
      const path = join(endpoint.stateDir, 'journal.jsonl');
      await writeFile(path, `${await readFile(path, 'utf8')}{"type":"repor`);
      server.control.reportStatus = 200;
      await run();
      assert.equal(server.seen.reports.at(-1)?.outcome, 'verified');
      assert.equal(await transactionsOf(lease), 1);
      assert.match(await readFile(path, 'utf8'), /"type":"reported".*\n$/);
    });
  });

  describe('inventory', () => {
    it('has packages with their source and what is pending, under rising numbers', async () => {
      await run();
      await run();
      const [first, second] = server.seen.inventories;
      assert.deepEqual([first?.['sequence'], second?.['sequence']], [1, 2]);
      assert.deepEqual(first?.['pendingUpgrades'], [
        {
          ...{ package: 'alpha', architecture: 'amd64', from: '1.0', to: '2.0' },
          origins: ['Test:1/security'],
        },
        {
          ...{ package: 'beta', architecture: 'amd64', from: '1.0', to: '2.0' },
          origins: ['Test:1/security'],
        },
      ]);
      assert.match(String(first['collectedAt']), /^\d{4}-.*Z$/);
    });
    it('is all that happens when nothing else is asked for', async () => {
      offer();
      await run({ mode: 'inventory-only' });
      assert.equal(server.seen.inventories.length, 1);
      assert.deepEqual(server.seen.leaseRequests, []);
    });
    it('follows a lease', async () => {
      offer();
      await run();
      assert.equal(server.seen.inventories.length, 2);
      assert.equal(JSON.stringify(server.seen.inventories[1]?.['packages']).includes('2.0'), true);
    });
  });

  describe('lease', () => {
    it('is carried out, verified and reported once', async () => {
      const lease = offer();
      await run();
      assert.deepEqual(outcomes(), [['verified', '']]);
      assert.deepEqual(server.seen.reports[0]?.versions, [
        { package: 'alpha', architecture: 'amd64', before: '1.0', after: '2.0' },
      ]);
      assert.deepEqual(server.seen.confirmations, [lease.attemptId]);
      assert.equal(await endpoint.state('alpha'), '2.0 ii');
      assert.equal(await endpoint.state('beta'), '1.0 ii');
      assert.equal(await transactionsOf(lease), 1);
    });
    it('is dropped when it was recalled before the start', async () => {
      const lease = offer();
      server.control.recalled = true;
      await run();
      assert.deepEqual(outcomes(), []);
      assert.equal(await transactionsOf(lease), 0);
      const journal = await readFile(join(endpoint.stateDir, 'journal.jsonl'), 'utf8');
      assert.match(journal, /"type":"dropped","attemptId":"[^"]+","reason":"409 old-epoch/);
    });
    it('that was confirmed before a crash and recalled after it is answered for', async () => {
      const lease = offer();
      await run({ mode: 'inventory-only' });
      const at = '2026-11-21T09:00:00.000Z';
      const lines = [
        { type: 'received', at, attemptId: lease.attemptId, lease },
        { type: 'confirmed', at, attemptId: lease.attemptId },
      ];
      const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
      await writeFile(join(endpoint.stateDir, 'journal.jsonl'), text);
      server.control.recalled = true;
      await run();
      assert.deepEqual(outcomes(), [['failed', 'recalled']]);
      assert.equal(await transactionsOf(lease), 0);
    });
    it('changes nothing where all is done already', async () => {
      await run();
      offer();
      await run();
      const second = offer();
      await run();
      assert.deepEqual(outcomes(), [
        ['verified', ''],
        ['already-compliant', ''],
      ]);
      assert.equal(await transactionsOf(second), 0);
    });
    it.each([
      ['not-applicable', { package: 'gamma', version: '2.0', architecture: 'amd64' }],
      ['version-not-found', { package: 'alpha', version: '3.0', architecture: 'amd64' }],
    ])('fails as %s without a transaction', async (failureClass, artifact) => {
      const lease = offer({}, artifact);
      await run();
      assert.deepEqual(outcomes(), [['failed', failureClass]]);
      assert.equal(await transactionsOf(lease), 0);
    });
    it('fails as held without a transaction', async () => {
      await use({ holds: ['alpha:amd64'] });
      const lease = offer();
      await run();
      assert.deepEqual(outcomes(), [['failed', 'held']]);
      assert.equal(await transactionsOf(lease), 0);
    });
    it('fails on the hardware that the patch is bad for, and only there', async () => {
      await use({ faults: [BAD_ALPHA] });
      offer();
      await run();
      assert.deepEqual(outcomes(), [['failed', 'maintainer-script']]);
      assert.equal(await endpoint.state('alpha'), '2.0 iF');
      await use({ faults: [{ ...BAD_ALPHA, hardwareModel: 'Model A' }] });
      offer();
      await run();
      assert.deepEqual(outcomes()[1], ['verified', '']);
    });
    it.each([
      [
        'another endpoint',
        { endpointId: '8c1fd2a6-31f0-4a43-9a40-2cd3b2d7f6a1' },
        /this endpoint is/,
      ],
      ['an epoch below 0', { epoch: -1 }, /lease: \/epoch: /],
      ['a kind nobody knows', { kind: 'reboot' }, /lease: \/kind: /],
    ])('is refused for %s, and changes nothing', async (_, part, reason) => {
      server.control.offer = { ...leaseOf(server.endpointId, UPGRADE), ...part };
      await runUntil(() => {
        assert.match(JSON.stringify(events), reason);
      });
      assert.deepEqual(server.seen.reports, []);
      assert.equal(await endpoint.history(), '');
      assert.equal(await endpoint.state('alpha'), '1.0 ii');
    });
  });

  describe('report', () => {
    it('is repeated until it is acknowledged, while a second lease is refused', async () => {
      const lease = offer();
      server.control.reportStatus = 503;
      await runUntil(() => {
        assert.notEqual(server.seen.reports.length, 0);
        offer({}, { ...UPGRADE, package: 'beta' });
        assert.match(JSON.stringify(events), new RegExp(`lease-refused.*${lease.attemptId}`));
      });
      assert.equal(server.seen.leaseRequests.at(-1), lease.attemptId);
      assert.equal(await endpoint.state('beta'), '1.0 ii');
      server.control.reportStatus = 200;
      await run();
      assert.equal(new Set(server.seen.reports.map((one) => JSON.stringify(one))).size, 1);
      assert.equal(await transactionsOf(lease), 1);
    });
    it.each([401, 412, 429, 503])('is sent again after a %s', async (status) => {
      const lease = offer();
      server.control.reportStatus = status;
      await runUntil(() => {
        assert.notEqual(server.seen.reports.length, 0);
        server.control.reportStatus = 200;
        assert.equal(server.control.offer, null);
      });
      assert.equal(server.seen.reports.length, 2);
      assert.equal(await transactionsOf(lease), 1);
    });
    it('is sent again when the answer was lost', async () => {
      offer();
      server.control.lostAnswers = 2;
      await run();
      assert.equal(server.seen.reports.length, 3);
      assert.equal(new Set(server.seen.reports.map((one) => JSON.stringify(one))).size, 1);
      await run();
      assert.equal(server.seen.reports.length, 3);
    });
    it('ends where the server refuses it', async () => {
      offer();
      server.control.reportStatus = 409;
      await run();
      server.control.offer = null;
      await run();
      assert.equal(server.seen.reports.length, 1);
      assert.deepEqual(server.seen.leaseRequests, [null, null]);
    });
    it('of a lease that is offered again is told again, and nothing is done again', async () => {
      const lease = offer();
      await run();
      server.control.offer = lease;
      await run();
      assert.equal(server.seen.reports.length, 2);
      assert.deepEqual(server.seen.reports[1], server.seen.reports[0]);
      assert.equal(await transactionsOf(lease), 1);
    });
  });

  describe('rollback', () => {
    it('restores the saved transaction, from a broken package too', async () => {
      await use({ faults: [BAD_ALPHA] });
      const install = offer();
      await run();
      const back = rollbackOf(install);
      server.control.offer = back;
      await run();
      assert.deepEqual(outcomes()[1], ['rolled-back', '']);
      assert.equal(await endpoint.state('alpha'), '1.0 ii');
      assert.equal(await transactionsOf(back), 1);
    });
    it('of an attempt that was recalled has nothing to do', async () => {
      const install = offer();
      server.control.recalled = true;
      await run();
      server.control.recalled = false;
      const back = rollbackOf(install);
      server.control.offer = back;
      await run();
      assert.deepEqual(outcomes(), [['rolled-back', '']]);
      assert.equal(await transactionsOf(back), 0);
    });
    it('of an attempt that the journal does not know is refused', async () => {
      server.control.offer = rollbackOf(leaseOf(server.endpointId, UPGRADE));
      await run();
      assert.deepEqual(outcomes(), [['rollback-failed', 'no-saved-transaction']]);
    });
    it('that fails is told apart', async () => {
      await use({ faults: [{ ...BAD_ALPHA, during: 'rollback', leaves: 'unchanged' }] });
      const install = offer();
      await run();
      server.control.offer = rollbackOf(install);
      await run();
      assert.deepEqual(outcomes()[1], ['rollback-failed', 'maintainer-script']);
    });
  });

  it('goes on when the server comes back', async () => {
    await runUntil(() => {
      assert.notEqual(server.seen.leaseRequests.length, 0);
      server.control.unavailable = true;
      assert.match(JSON.stringify(events), /round-failed.*503/);
    });
    server.control.unavailable = false;
    offer();
    await runUntil(() => assert.deepEqual(outcomes(), [['verified', '']]));
  });
  it.each([
    ['the endpoint', 'endpoint.json', /endpoint\.json: \/packages: /],
    ['the repository', 'repository.json', /repository\.json: \/packages: /],
  ])('names field and rule when the file of %s is malformed', async (_, name, rule) => {
    const path = join(endpoint.file, '..', name);
    const text = JSON.parse(await readFile(path, 'utf8')) as object;
    await writeFile(path, JSON.stringify({ ...text, packages: 7 }));
    await assert.rejects(run(), rule);
  });
});
