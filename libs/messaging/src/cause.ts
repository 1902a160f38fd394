const CAUSE_MAX = 2_000;

/** An error as text that a column can hold: bounded, and without the one character it refuses. */
export function causeOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.replaceAll('\u0000', '\\u0000').slice(0, CAUSE_MAX);
}
