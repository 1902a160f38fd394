import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigError } from './config-error.js';
import { said } from './domain/said.js';

/** What the agent acts on. */
export type Target = Readonly<
  { kind: 'root'; path: string } | { kind: 'host' } | { kind: 'simulate'; file: string }
>;

export type AgentOptions = Readonly<{
  target: Target;
  /** Base URLs without a slash at the end. */
  serverUrl: string;
  deploymentUrl: string;
  /** Needed until the agent is enrolled. */
  enrolToken: string | null;
  stateDir: string;
  pollMs: number;
  inventoryMs: number;
  /** Shell command, run inside the root, that ends with 0 on a healthy endpoint. */
  probe: string | null;
  /** `once`: one round with its inventories; `inventory-only`: one inventory, no leases. */
  mode: 'loop' | 'once' | 'inventory-only';
  requestTimeoutMs: number;
  aptTimeoutMs: number;
}>;

const OPTIONS = {
  root: { type: 'string' },
  host: { type: 'boolean' },
  simulate: { type: 'string' },
  server: { type: 'string' },
  'deployment-url': { type: 'string' },
  'enrol-token': { type: 'string' },
  'enrol-token-file': { type: 'string' },
  'state-dir': { type: 'string' },
  'poll-ms': { type: 'string' },
  'inventory-ms': { type: 'string' },
  probe: { type: 'string' },
  once: { type: 'boolean' },
  'inventory-only': { type: 'boolean' },
  'insecure-http': { type: 'boolean' },
  'request-timeout-ms': { type: 'string' },
  'apt-timeout-ms': { type: 'string' },
} as const;

export const USAGE = `patchtrail-agent (--root DIR | --host | --simulate FILE) --server URL --state-dir DIR
  --deployment-url URL       where leases come from, when that is not --server
  --insecure-http            http to another host: who reads along gets the agent's secret
  --enrol-token TOKEN        one-time token, needed until the agent is enrolled
  --enrol-token-file FILE    the same, not visible in the process list
  --poll-ms N                between two looks for a lease (5000)
  --inventory-ms N           between two inventories (900000)
  --probe COMMAND            health probe, run by sh inside the root after a transaction
  --once | --inventory-only  one round, or one inventory, and end
  --request-timeout-ms N     for one request (15000)
  --apt-timeout-ms N         for one run of apt (1800000)`;

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true, allowPositionals: false })
      .values;
  } catch (error) {
    const message = said(error);
    const [, option = 'arguments'] = /'(--[a-z-]+)/.exec(message) ?? [];
    throw new ConfigError(option, message);
  }
}

type Values = ReturnType<typeof parse>;

function required(value: string | undefined, option: string): string {
  if (value === undefined || value === '') throw new ConfigError(option, 'is required');
  return value;
}

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

function baseUrl(text: string, option: string, { 'insecure-http': insecure }: Values): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new ConfigError(option, 'must be an http or https URL');
  }
  if (url.username !== '' || url.search !== '' || url.hash !== '') {
    throw new ConfigError(option, 'must have no user, query or fragment');
  }
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname) && insecure !== true) {
    throw new ConfigError(option, 'must be https, but for the loopback or with --insecure-http');
  }
  return text.replace(/\/+$/, '');
}

function milliseconds(text: string | undefined, option: string, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 10 || value > 86_400_000) {
    throw new ConfigError(option, 'must be a whole number of milliseconds from 10 to 86400000');
  }
  return value;
}

function existing(path: string, option: string, kind: 'folder' | 'file'): string {
  const found = statSync(path, { throwIfNoEntry: false });
  const right = kind === 'folder' ? found?.isDirectory() : found?.isFile();
  if (right !== true) throw new ConfigError(option, `must be an existing ${kind}`);
  return resolve(path);
}

function rootPath(path: string): string {
  if (!isAbsolute(path)) throw new ConfigError('--root', 'must be an absolute path');
  const folder = existing(path, '--root', 'folder');
  if (folder === '/')
    throw new ConfigError('--root', 'must not be /; use --host for the host itself');
  return folder;
}

function targetOf({ root, host, simulate }: Values): Target {
  const given = [root, host, simulate].filter((value) => value !== undefined && value !== false);
  if (given.length !== 1) {
    throw new ConfigError('--root, --host, --simulate', 'exactly one of them is required');
  }
  if (root !== undefined) return { kind: 'root', path: rootPath(root) };
  if (simulate !== undefined) {
    return { kind: 'simulate', file: existing(simulate, '--simulate', 'file') };
  }
  return { kind: 'host' };
}

function tokenOf(values: Values): string | null {
  const { 'enrol-token': token, 'enrol-token-file': file } = values;
  if (token !== undefined && file !== undefined) {
    throw new ConfigError('--enrol-token-file', 'must not be given together with --enrol-token');
  }
  const text =
    file === undefined
      ? token
      : readFileSync(existing(file, '--enrol-token-file', 'file'), 'utf8').trim();
  if (text === undefined) return null;
  const option = file === undefined ? '--enrol-token' : '--enrol-token-file';
  if (!/^pten_[A-Za-z0-9_-]{16,200}$/.test(text)) {
    throw new ConfigError(option, 'must hold a token that begins with pten_');
  }
  return text;
}

function modeOf(values: Values): AgentOptions['mode'] {
  const { once = false, 'inventory-only': only = false } = values;
  if (once && only) {
    throw new ConfigError('--inventory-only', 'must not be given together with --once');
  }
  if (only) return 'inventory-only';
  return once ? 'once' : 'loop';
}

/** Reads the command line. @throws ConfigError naming the option and the rule */
export function parseOptions(argv: readonly string[]): AgentOptions {
  const values = parse(argv);
  const serverUrl = baseUrl(required(values.server, '--server'), '--server', values);
  const deployment = values['deployment-url'];
  return {
    target: targetOf(values),
    serverUrl,
    deploymentUrl:
      deployment === undefined ? serverUrl : baseUrl(deployment, '--deployment-url', values),
    enrolToken: tokenOf(values),
    stateDir: resolve(required(values['state-dir'], '--state-dir')),
    pollMs: milliseconds(values['poll-ms'], '--poll-ms', 5_000),
    inventoryMs: milliseconds(values['inventory-ms'], '--inventory-ms', 900_000),
    probe: values.probe ?? null,
    mode: modeOf(values),
    requestTimeoutMs: milliseconds(values['request-timeout-ms'], '--request-timeout-ms', 15_000),
    aptTimeoutMs: milliseconds(values['apt-timeout-ms'], '--apt-timeout-ms', 1_800_000),
  };
}
