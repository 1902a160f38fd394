/** The revision that a command expects; `*` in `If-Match` means whatever it is by now. */
export function expectedOf(ifMatch: number | '*'): number | undefined {
  return ifMatch === '*' ? undefined : ifMatch;
}
