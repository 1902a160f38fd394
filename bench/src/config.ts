import type { ServerChoice } from '@patchtrail/postgres';

/** Which PostgreSQL to measure on. */
export function serverChoice(): ServerChoice {
  const choice = process.env['PATCHTRAIL_POSTGRES'] ?? 'auto';
  if (choice === 'auto' || choice === 'embedded' || choice === 'installed') return choice;
  throw new Error('PATCHTRAIL_POSTGRES must be auto, embedded or installed.');
}
