const INSTANT =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/;

/** An RFC 3339 instant in UTC with milliseconds, or `null` when it is not one. */
export function parseInstant(text: string): string | null {
  const match = INSTANT.exec(text);
  if (match === null) return null;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  // Date.parse takes the 30th of February for the 2nd of March.
  if (day > new Date(Date.UTC(year, month, 0)).getUTCDate()) return null;
  const time = Date.parse(text.toUpperCase());
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}

/** The clock of the process; pass it on instead of calling it below the composition root. */
export function now(): Date {
  return new Date();
}
