import { parseVerify } from '../../domain/dpkg.js';
import { entriesOf } from '../../domain/history-log.js';
import type { Lease } from '../../domain/lease.js';
import type { Transaction } from '../../domain/transaction.js';
import { dpkgAudit, packageArgumentOf } from './apt-state.js';
import type { Root } from './root.js';

const DETAIL_CHARS_MAX = 500;

/** Exactly one transaction carries the attempt's mark, and it changed what was planned only. */
async function historyProblems(
  root: Root,
  lease: Lease,
  transaction: Transaction,
): Promise<readonly string[]> {
  const text = await root.read('/var/log/apt/history.log');
  if (text === null) return [];
  const entries = entriesOf(text, lease.attemptId);
  if (entries.length !== 1) {
    return [`history.log has ${entries.length} transactions of this attempt, not 1.`];
  }
  const planned = new Set(transaction.changes.map((change) => change.package));
  const others = entries.flatMap(({ packages }) => packages).filter((name) => !planned.has(name));
  return others.length === 0 ? [] : [`Changed without being planned: ${others.join(', ')}.`];
}

async function fileProblems(root: Root, transaction: Transaction): Promise<readonly string[]> {
  const names = transaction.changes.filter(({ to }) => to !== null).map(packageArgumentOf);
  if (names.length === 0) return [];
  const { stdout } = await root.run(['dpkg', '--verify', ...names]);
  const files = parseVerify(stdout);
  return files.length === 0
    ? []
    : [`Files differ from their package: ${files.join(', ').slice(0, DETAIL_CHARS_MAX)}.`];
}

/** What apt and dpkg themselves find wrong after a run. */
export async function auditRun(
  root: Root,
  lease: Lease,
  transaction: Transaction,
): Promise<readonly string[]> {
  const audit = await dpkgAudit(root);
  const check = await root.run(['apt-get', 'check', '-q']);
  return [
    ...(audit === '' ? [] : [`dpkg --audit: ${audit.slice(0, DETAIL_CHARS_MAX)}`]),
    ...(check.code === 0 ? [] : [`apt-get check: ${check.stderr.slice(0, DETAIL_CHARS_MAX)}`]),
    ...(await fileProblems(root, transaction)),
    ...(await historyProblems(root, lease, transaction)),
  ];
}
