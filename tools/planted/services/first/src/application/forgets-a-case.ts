// planted: @typescript-eslint/switch-exhaustiveness-check
export function glyph(state: 'open' | 'closed' | 'held'): string | undefined {
  switch (state) {
    case 'open':
      return 'o';
    case 'closed':
      return 'c';
  }
  return undefined;
}
