import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, it } from '@jest/globals';
import { ConfigError } from './config-error.js';
import { parseOptions } from './config.js';

const folder = mkdtempSync(join(tmpdir(), 'patchtrail-agent-test-config-'));
const tokenFile = join(folder, 'token');
writeFileSync(tokenFile, 'pten_0123456789abcdefghij\n');
afterAll(() => rmSync(folder, { recursive: true }));

const given = ['--server', 'http://127.0.0.1:8080/', '--state-dir', 'state'];
const refusedAs = (option: string, rule: RegExp) => (error: unknown) =>
  error instanceof ConfigError && error.option === option && rule.test(error.rule);

describe('options', () => {
  it('have defaults', () => {
    const options = parseOptions([...given, '--root', folder]);
    assert.deepEqual(options.target, { kind: 'root', path: folder });
    assert.equal(options.serverUrl, 'http://127.0.0.1:8080');
    assert.equal(options.deploymentUrl, 'http://127.0.0.1:8080');
    assert.equal(options.mode, 'loop');
    assert.equal(options.pollMs, 5_000);
    assert.equal(options.enrolToken, null);
  });
  it('take the token from a file', () =>
    assert.equal(
      parseOptions([...given, '--host', '--enrol-token-file', tokenFile]).enrolToken,
      'pten_0123456789abcdefghij',
    ));
  it('act on the host only when told so', () =>
    assert.deepEqual(parseOptions([...given, '--host']).target, { kind: 'host' }));

  it.each(['https://x', 'http://localhost:1', 'http://127.8.0.1', 'http://[::1]:8080'])(
    'take a server that nobody can listen to: %s',
    (server) => {
      const options = parseOptions(['--host', '--state-dir', 's', '--server', server]);
      assert.equal(options.serverUrl, server);
    },
  );
  it('take any server when told that it is insecure', () => {
    const insecure = ['--host', '--state-dir', 's', '--server', 'http://x', '--insecure-http'];
    assert.equal(parseOptions(insecure).deploymentUrl, 'http://x');
  });

  const TARGETS = '--root, --host, --simulate';
  it.each<[string, RegExp, string[]]>([
    [TARGETS, /exactly one/, given],
    [TARGETS, /exactly one/, [...given, '--host', '--root', folder]],
    ['--root', /absolute path/, [...given, '--root', 'here']],
    ['--root', /existing folder/, [...given, '--root', tokenFile]],
    ['--root', /use --host/, [...given, '--root', '/']],
    ['--simulate', /existing file/, [...given, '--simulate', folder]],
    ['--server', /required/, ['--host', '--state-dir', 'state']],
    ['--server', /http or https/, ['--host', '--state-dir', 's', '--server', 'ftp://x']],
    ['--server', /http or https/, ['--host', '--state-dir', 's', '--server', 'nowhere']],
    ['--server', /no user/, ['--host', '--state-dir', 's', '--server', 'http://a:b@x']],
    ['--deployment-url', /http or https/, [...given, '--host', '--deployment-url', 'x']],
    ['--server', /must be https/, ['--host', '--state-dir', 's', '--server', 'http://x']],
    ['--server', /must be https/, ['--host', '--state-dir', 's', '--server', 'http://127.0.0.1.x']],
    ['--deployment-url', /must be https/, [...given, '--host', '--deployment-url', 'http://x']],
    ['--state-dir', /required/, ['--host', '--server', 'https://x']],
    ['--poll-ms', /whole number/, [...given, '--host', '--poll-ms', '0']],
    ['--poll-ms', /whole number/, [...given, '--host', '--poll-ms', '1e3']],
    ['--inventory-ms', /whole number/, [...given, '--host', '--inventory-ms', '86400001']],
    ['--enrol-token', /pten_/, [...given, '--host', '--enrol-token', 'secret']],
    ['--enrol-token-file', /existing file/, [...given, '--host', '--enrol-token-file', folder]],
    [
      '--enrol-token-file',
      /together/,
      [...given, '--host', '--enrol-token', 'x', '--enrol-token-file', tokenFile],
    ],
    ['--inventory-only', /together/, [...given, '--host', '--once', '--inventory-only']],
    ['--rooot', /[Uu]nknown option/, [...given, '--rooot', 'x']],
  ])('are refused: %s %s', (option, rule, argv) =>
    assert.throws(() => parseOptions(argv), refusedAs(option, rule)),
  );
  it('never repeat a token in a refusal', () =>
    assert.throws(
      () => parseOptions([...given, '--host', '--enrol-token', 'hunter2']),
      (error: Error) => !error.message.includes('hunter2'),
    ));
});
