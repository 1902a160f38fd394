import { describe, expect, it } from '@jest/globals';
import { standaloneConfig } from '../config.js';
import { setUp } from './set-up.js';

const ADMIN = 'postgres://postgres:secret@db.example/postgres';
const APPROVAL = 'postgres://patchtrail_approval:secret@db.example:5432/patchtrail_approval';

describe('an installation that cannot be set up', () => {
  const refusal = async (env: Record<string, string>) => {
    const error: unknown = await setUp(standaloneConfig(env)).catch((cause: unknown) => cause);
    expect(String(error)).not.toContain('secret');
    return String(error);
  };

  it('has no administrator', async () => {
    expect(await refusal({ APPROVAL_DATABASE_URL: APPROVAL })).toBe(
      'ConfigError: DATABASE_URL: must be the URL of an administrator',
    );
  });

  it('names no database', async () => {
    const env = { DATABASE_URL: ADMIN, EVENT_STORE_URL: 'esdb://streams.example?tls=false' };
    expect(await refusal(env)).toMatch(/DISCOVERY_DATABASE_URL: or another one must be set/);
  });

  it.each([
    ['another role', APPROVAL.replace('//patchtrail_approval', '//postgres')],
    ['another database', APPROVAL.replace(/patchtrail_approval$/, 'patchtrail_bus')],
    ['no password', APPROVAL.replace(':secret', '')],
  ])('names %s', async (_, url) => {
    const rule =
      'must name the role patchtrail_approval, a password and the database patchtrail_approval';
    expect(await refusal({ DATABASE_URL: ADMIN, APPROVAL_DATABASE_URL: url })).toBe(
      `ConfigError: APPROVAL_DATABASE_URL: ${rule}`,
    );
  });

  it.each(['other.example:5432', 'db.example:5433'])('is on %s', async (host) => {
    const url = APPROVAL.replace('db.example:5432', host);
    for (const variable of ['APPROVAL_DATABASE_URL', 'BUS_DATABASE_URL', 'EVENT_STORE_URL']) {
      const name = { BUS_DATABASE_URL: 'bus', EVENT_STORE_URL: 'event_store' }[variable];
      const own = url.replaceAll('patchtrail_approval', `patchtrail_${name ?? 'approval'}`);
      expect(await refusal({ DATABASE_URL: ADMIN, [variable]: own })).toBe(
        `ConfigError: ${variable}: must be on the server of DATABASE_URL`,
      );
    }
  });
});
