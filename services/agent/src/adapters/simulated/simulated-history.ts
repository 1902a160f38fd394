import { attemptMark, entriesOf } from '../../domain/history-log.js';
import type { Lease } from '../../domain/lease.js';
import type { Change, Transaction } from '../../domain/transaction.js';
import { appendDurably, readIfThere } from '../disk/files.js';

/** `2026-11-21  02:03:52`, as apt writes it. */
const stamp = (now: Date) => now.toISOString().slice(0, 19).replace('T', '  ');

function fieldOf({ from, to }: Change, kind: Lease['kind']): string {
  if (to === null) return 'Remove';
  if (from === null) return 'Install';
  return kind === 'install' ? 'Upgrade' : 'Downgrade';
}

const shown = (change: Change) => {
  const versions = [change.from, change.to].filter((version) => version !== null).join(', ');
  return `${change.package}:${change.architecture} (${versions})`;
};

/** The lines that open a transaction. */
export function historyStart(lease: Lease, transaction: Transaction, now: Date): string {
  const specs = transaction.changes.map(({ package: name, to }) =>
    to === null ? `${name}-` : `${name}=${to}`,
  );
  const fields = ['Install', 'Upgrade', 'Downgrade', 'Remove'].flatMap((field) => {
    const changes = transaction.changes.filter((change) => fieldOf(change, lease.kind) === field);
    return changes.length === 0 ? [] : [`${field}: ${changes.map(shown).join(', ')}`];
  });
  const command = `apt-get -o ${attemptMark(lease.attemptId)} install ${specs.join(' ')}`;
  return ['', `Start-Date: ${stamp(now)}`, `Commandline: ${command}`, ...fields, ''].join('\n');
}

export function historyEnd(now: Date, error: string | null): string {
  const errors = error === null ? [] : [`Error: ${error.replaceAll('\n', ' ')}`];
  return [...errors, `End-Date: ${stamp(now)}`, ''].join('\n');
}

/** The attempt's transactions that the file holds. */
export async function historyOf(path: string, attemptId: string) {
  return entriesOf((await readIfThere(path)) ?? '', attemptId);
}

export const appendHistory = appendDurably;
