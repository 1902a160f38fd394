/** A text that every store takes: no NUL, no half of a character that was cut in two. */
export function storable(text: string): string {
  return text.replaceAll('\0', '').replace(/\p{Surrogate}/gu, '\ufffd');
}

/** What an error says, bounded for logs and reports. */
export function said(error: unknown): string {
  const text =
    typeof error === 'object' && error !== null && 'message' in error
      ? String(error.message)
      : String(error);
  return text.slice(0, 1_500);
}
