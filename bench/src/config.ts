import type { ServerChoice } from '@patchtrail/postgres';

/** Which PostgreSQL to measure on. */
export function serverChoice(): ServerChoice {
  const choice = process.env['PATCHTRAIL_POSTGRES'] ?? 'auto';
  if (choice === 'auto' || choice === 'embedded' || choice === 'installed') return choice;
  throw new Error('PATCHTRAIL_POSTGRES must be auto, embedded or installed.');
}

/** Where programs and caches are; everything else a host gets from the benchmark alone. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'TZ', 'XDG_CACHE_HOME'] as const;

export function hostEnvironment(own: Readonly<Record<string, string>>): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(inherited), ...own };
}
