import { describe, expect, it } from '@jest/globals';
import { frontDoorConfig } from './config.js';
import { findByName } from './names.js';

const URLS = Object.fromEntries(
  ['DISCOVERY', 'PRIORITIZATION', 'APPROVAL', 'DEPLOYMENT', 'REPORTING'].map((name) => [
    `${name}_URL`,
    `http://${name.toLowerCase()}:8080`,
  ]),
);

describe('the front door is configured', () => {
  it('with where each service is', () => {
    const { host, port, instance, urls } = frontDoorConfig(URLS);
    expect({ host, port, instance }).toEqual({
      host: '127.0.0.1',
      port: 8080,
      instance: 'front-door',
    });
    expect(urls.get('approval')?.origin).toBe('http://approval:8080');
  });

  it('with all of them', () => {
    const { APPROVAL_URL: _, ...others } = URLS;
    expect(() => frontDoorConfig(others)).toThrow(/^APPROVAL_URL: /);
  });

  it.each(['https://approval:8080', 'http://approval:8080/v1', 'http://a@approval', 'approval'])(
    'with no other kind of URL: %s',
    (url) => {
      expect(() => frontDoorConfig({ ...URLS, APPROVAL_URL: url })).toThrow(/^APPROVAL_URL: /);
    },
  );

  it('with nothing that is not its own', () => {
    const env = { ...URLS, PATCHTRAIL_SERVICES: 'approval' };
    expect(() => frontDoorConfig(env)).toThrow('PATCHTRAIL_SERVICES: is not a known variable');
  });
});

describe('replicas that share a name', () => {
  it('are the addresses which it stands for', async () => {
    const find = findByName(new Map([['approval', new URL('http://localhost:8080')]]));
    const found = (await find()).get('approval') ?? [];
    expect(found.length).toBeGreaterThan(0);
    for (const url of found) expect(['http://127.0.0.1:8080', 'http://[::1]:8080']).toContain(url);
  });

  it('are none while nobody has the name', async () => {
    const find = findByName(new Map([['approval', new URL('http://nobody.invalid:8080')]]));
    expect((await find()).get('approval')).toEqual([]);
  });
});
