import {
  asFound,
  type InstalledPackage,
  PACKAGE_FORMAT,
  parsePackages,
} from '../../domain/dpkg.js';
import { findPackage, type Found, isPresent, type Transaction } from '../../domain/transaction.js';
import type { Root } from './root.js';
import { said } from '../../domain/said.js';

const words = (text: string) => text.split(/\s+/).filter((word) => word !== '');

export async function packagesOf(root: Root): Promise<readonly InstalledPackage[]> {
  return parsePackages(await root.output(['dpkg-query', '-W', `--showformat=${PACKAGE_FORMAT}`]));
}

export async function findIn(root: Root, transaction: Transaction): Promise<readonly Found[]> {
  const known = (await packagesOf(root)).map(asFound).filter(({ status }) => isPresent(status));
  return transaction.changes.flatMap((change) => findPackage(known, change) ?? []);
}

export async function heldNames(root: Root): Promise<readonly string[]> {
  return words(await root.output(['apt-mark', 'showhold']));
}

export async function automaticNames(root: Root): Promise<readonly string[]> {
  return words(await root.output(['apt-mark', 'showauto']));
}

export async function nativeArchitecture(root: Root): Promise<string> {
  return (await root.output(['dpkg', '--print-architecture'])).trim();
}

/** What `dpkg --audit` finds wrong, empty when nothing is. */
export async function dpkgAudit(root: Root): Promise<string> {
  return (await root.output(['dpkg', '--audit'])).trim();
}

export async function isOlder(root: Root, one: string, other: string): Promise<boolean> {
  const { code } = await root.run(['dpkg', '--compare-versions', one, 'lt', other]);
  return code === 0;
}

/** Timeouts for every command of apt's that fetches. */
export const FETCH_OPTIONS = [
  '-o',
  'Acquire::http::Timeout=20',
  '-o',
  'Acquire::https::Timeout=20',
  '-o',
  'Acquire::Retries=1',
];

const UPDATE_TIMEOUT_MS = 180_000;
const PROBLEM_CHARS_MAX = 1_000;

/** Refreshes apt's indexes; answers why they may be out of date, `null` when they are fresh. */
export async function refreshIndexes(root: Root): Promise<string | null> {
  const command = [
    'apt-get',
    'update',
    '-q',
    '-o',
    'APT::Update::Error-Mode=any',
    ...FETCH_OPTIONS,
  ];
  try {
    const { code, stderr } = await root.run(command, UPDATE_TIMEOUT_MS);
    if (code === 0) return null;
    const lines = stderr.split('\n').filter((line) => /^[EW]: /.test(line));
    return (
      lines.join('\n').slice(0, PROBLEM_CHARS_MAX) || `apt-get update ended with ${String(code)}.`
    );
  } catch (error) {
    return said(error);
  }
}

/** Argument of dpkg and apt-mark: these take the architecture of every package but `all`. */
export function packageArgumentOf(one: { package: string; architecture: string }): string {
  return one.architecture === 'all' ? one.package : `${one.package}:${one.architecture}`;
}
