const SAMPLE = /^([a-z0-9_]+)(?:\{(.*)\})? (\S+)$/i;
const LABEL = /([a-z0-9_]+)="((?:[^"\\]|\\.)*)"/gi;

/**
 * The sum of the samples of a metric in Prometheus' text format that have all of these attributes;
 * `null` without one. Names as OpenTelemetry has them; a histogram's parts as `name.count`.
 */
export function sampleOf(
  text: string,
  name: string,
  attributes: Readonly<Record<string, string>> = {},
): number | null {
  const wanted = Object.entries(attributes).map(([key, value]) => [asLabel(key), value] as const);
  let sum: number | null = null;
  for (const line of text.split('\n')) {
    const [, found, labels = '', value] = SAMPLE.exec(line) ?? [];
    if (found !== asLabel(name)) continue;
    const known = new Map([...labels.matchAll(LABEL)].map(([, key = '', label]) => [key, label]));
    if (wanted.every(([key, text]) => known.get(key) === text)) sum = (sum ?? 0) + Number(value);
  }
  return sum;
}

function asLabel(name: string): string {
  return name.replaceAll('.', '_');
}
