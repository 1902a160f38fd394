/** What an error says, bounded for logs and reports. */
export function said(error: unknown): string {
  const text =
    typeof error === 'object' && error !== null && 'message' in error
      ? String(error.message)
      : String(error);
  return text.slice(0, 1_500);
}
