import type { Log } from './follow/log.js';

export type Line = { level: keyof Log; fields: Readonly<Record<string, unknown>>; text: string };

/** A log that a spec reads. */
export function createTestLog(): Log & { lines: readonly Line[] } {
  const lines: Line[] = [];
  const to = (level: keyof Log): Log[keyof Log] => {
    return (fields, text) => lines.push({ level, fields, text });
  };
  return { lines, info: to('info'), warn: to('warn'), error: to('error') };
}
