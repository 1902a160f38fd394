import type { PackRow, PolicyPack } from './policy-pack.js';

function row(n: number, signals: string, days: number | null, forensics = false): PackRow {
  const yes = (column: number) => signals.charAt(column) === 'y';
  const outcome =
    days === null
      ? 'fix on system upgrade'
      : `${days} days${forensics ? ' & forensic investigation' : ''}`;
  const when = {
    inKev: yes(0),
    publiclyExposed: yes(1),
    automatable: yes(2),
    technicalImpactTotal: yes(3),
  };
  return { row: n, when, outcome, days };
}

/**
 * CISA Binding Operational Directive 26-04, remediation timelines, as published in machine-readable
 * form by CERT/CC (SSVC repository, data set `cisa_bod_26_04` 1.0.0). The answers stand in the order
 * in KEV, publicly exposed, automatable, technical impact total.
 */
export const BOD_26_04: PolicyPack = {
  name: 'cisa-bod-26-04',
  version: '1.0.0',
  rows: [
    row(0, 'nnnn', null),
    row(1, 'ynnn', 14),
    row(2, 'nynn', 60),
    row(3, 'nnyn', 60),
    row(4, 'nnny', null),
    row(5, 'yynn', 14),
    row(6, 'ynyn', 14),
    row(7, 'nyyn', 14),
    row(8, 'ynny', 14),
    row(9, 'nyny', 14),
    row(10, 'nnyy', 60),
    row(11, 'yyyn', 3),
    row(12, 'yyny', 3, true),
    row(13, 'ynyy', 3, true),
    row(14, 'nyyy', 3),
    row(15, 'yyyy', 3, true),
  ],
};
