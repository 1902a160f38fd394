import type { AptRun } from './fleet.js';

/** The runs in an apt history.log, oldest first; one that was killed has no end. */
export function parseHistory(text: string): readonly AptRun[] {
  return text.split(/\n\s*\n/).flatMap((paragraph) => {
    const startedAt = /^Start-Date: (.*)$/m.exec(paragraph)?.[1];
    if (startedAt === undefined) return [];
    const endedAt = /^End-Date: (.*)$/m.exec(paragraph)?.[1] ?? null;
    const lists = paragraph.matchAll(/^(?:Install|Upgrade|Downgrade|Reinstall): (.*)$/gm);
    const packages = [...lists].flatMap(([, list = '']) =>
      // `name:arch (old, new), …`: the comma inside the brackets does not separate packages.
      [...list.matchAll(/([^\s,:()]+):[^\s(]+ \(/g)].map(([, name = '']) => name),
    );
    return [
      {
        startedAt: instant(startedAt),
        endedAt: endedAt === null ? null : instant(endedAt),
        packages,
        failed: /^Error: /m.test(paragraph),
      },
    ];
  });
}

/** `2026-11-21  09:14:07`, local time of the endpoint, in a form that sorts. */
function instant(text: string): string {
  return text.trim().replace(/\s+/, 'T');
}
