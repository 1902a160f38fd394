import type { Detail, Result } from './bench.js';

/** A result for people: the ratio, then each detail on a line of its own. */
export function tableOf({ name, ours, limit, ratio, unit, detail }: Result): string {
  const lines = [
    `${name}: ${formatted(ours)} ${unit}, limit ${formatted(limit)} ${unit}, ratio ${ratio}`,
    ...linesOf(detail, '  '),
  ];
  return lines.join('\n');
}

function linesOf(detail: Detail, indent: string): readonly string[] {
  if (typeof detail !== 'object') return [`${indent}${formatted(detail)}`];
  return Object.entries(detail).flatMap(([key, value]) =>
    isFlat(value)
      ? [`${indent}${key.padEnd(24)} ${flat(value)}`]
      : [`${indent}${key}`, ...linesOf(value, `${indent}  `)],
  );
}

function isFlat(detail: Detail): boolean {
  return (
    typeof detail !== 'object' || Object.values(detail).every((one) => typeof one !== 'object')
  );
}

function flat(detail: Detail): string {
  if (typeof detail !== 'object') return formatted(detail);
  return Object.entries(detail)
    .map(([key, value]) => `${key} ${flat(value)}`)
    .join(' · ');
}

function formatted(value: number | string | boolean): string {
  return typeof value === 'number' ? value.toLocaleString('en') : String(value);
}
