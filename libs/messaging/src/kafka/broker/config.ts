import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where what was downloaded once is kept: `$XDG_CACHE_HOME/patchtrail`, else `~/.cache/patchtrail`. */
export function cacheFolder(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const given = env['XDG_CACHE_HOME'];
  const caches = given?.startsWith('/') === true ? given : join(homedir(), '.cache');
  return join(caches, 'patchtrail');
}
