import { delimiter } from 'node:path';

/** Folders of the search path in which an installed server may be. */
export function searchPath(): string[] {
  return (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'));
}
