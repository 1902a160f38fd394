import { describe, expect, it } from '@jest/globals';
import { Type } from '@sinclair/typebox';
import { ConfigError, readConfig } from './index.js';

const schema = Type.Object({
  DATABASE_URL: Type.String({ pattern: '^postgres(ql)?://' }),
  PATCHTRAIL_PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 8080 }),
  PATCHTRAIL_POSTGRES: Type.Optional(
    Type.Union([Type.Literal('embedded'), Type.Literal('installed')]),
  ),
  PATCHTRAIL_VERBOSE: Type.Boolean({ default: false }),
});

const DATABASE_URL = 'postgres://user:s3cr3t@localhost/db';

function issuesOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env, schema);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).not.toContain('s3cr3t');
    return error.issues.map(({ variable }) => variable);
  }
}

describe('configuration', () => {
  it('is converted, completed by defaults and frozen', () => {
    const config = readConfig({ DATABASE_URL, PATCHTRAIL_VERBOSE: 'true', HOME: '/root' }, schema);
    expect(config).toEqual({ DATABASE_URL, PATCHTRAIL_PORT: 8080, PATCHTRAIL_VERBOSE: true });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('takes an empty variable as not set', () => {
    expect(readConfig({ DATABASE_URL, PATCHTRAIL_PORT: '' }, schema).PATCHTRAIL_PORT).toBe(8080);
    expect(issuesOf({ DATABASE_URL: '' })).toEqual(['DATABASE_URL']);
  });

  it.each([
    [{}, 'DATABASE_URL'],
    [{ DATABASE_URL: 's3cr3t' }, 'DATABASE_URL'],
    [{ DATABASE_URL, PATCHTRAIL_PORT: '65536' }, 'PATCHTRAIL_PORT'],
    [{ DATABASE_URL, PATCHTRAIL_PORT: '80a' }, 'PATCHTRAIL_PORT'],
    [{ DATABASE_URL, PATCHTRAIL_PORT: '1.5' }, 'PATCHTRAIL_PORT'],
    [{ DATABASE_URL, PATCHTRAIL_POSTGRES: 's3cr3t' }, 'PATCHTRAIL_POSTGRES'],
    [{ DATABASE_URL, PATCHTRAIL_VERBOSE: 'loud' }, 'PATCHTRAIL_VERBOSE'],
    [{ DATABASE_URL, PATCHTRAIL_PROT: '80' }, 'PATCHTRAIL_PROT'],
  ])('names the variable that breaks its rule: %j', (env, variable) => {
    expect(issuesOf(env)).toEqual([variable]);
  });

  it('leaves out what belongs to somebody else', () => {
    const env = { DATABASE_URL, PATCHTRAIL_CONSOLE: 'on' };
    expect(() => readConfig(env, schema)).toThrow('PATCHTRAIL_CONSOLE: is not a known variable');
    const config = readConfig(env, schema, { others: ['PATCHTRAIL_CONSOLE'] });
    expect(config).not.toHaveProperty('PATCHTRAIL_CONSOLE');
  });
});
