import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  endpointSecretDigest,
  formatEndpointCredential,
  newEndpointSecret,
  parseEndpointCredential,
} from './index.js';

const endpointId = '0b5a2a3e-0000-4000-8000-000000000001';
const secret = 'A'.repeat(41) + '-_';

describe('an endpoint credential', () => {
  it('comes apart as it was put together, with the digest in place of the secret', () => {
    const digest = createHash('sha256').update(secret).digest('hex');
    expect(parseEndpointCredential(formatEndpointCredential(endpointId, secret))).toEqual({
      endpointId,
      secretDigest: `sha256:${digest}`,
    });
    expect(endpointSecretDigest(secret)).toBe(`sha256:${digest}`);
  });

  it('has a secret of 256 random bits', () => {
    const made = newEndpointSecret();
    expect(Buffer.from(made, 'base64url')).toHaveLength(32);
    expect(newEndpointSecret()).not.toBe(made);
    expect(parseEndpointCredential(formatEndpointCredential(endpointId, made))).not.toBeNull();
  });

  it.each([
    ['nothing', ''],
    ['another prefix', `pten_${endpointId}_${secret}`],
    ['an upper-case id', `ptep_${endpointId.toUpperCase()}_${secret}`],
    ['no id', `ptep__${secret}`],
    ['a short id', `ptep_${endpointId.slice(1)}_${secret}`],
    ['a short secret', `ptep_${endpointId}_${secret.slice(1)}`],
    ['a long secret', `ptep_${endpointId}_${secret}A`],
    ['a secret that is not base64url', `ptep_${endpointId}_${secret.slice(1)}+`],
    ['a line end', `ptep_${endpointId}_${secret}\n`],
    ['something before it', ` ptep_${endpointId}_${secret}`],
  ])('is refused with %s', (_, text) => {
    expect(parseEndpointCredential(text)).toBeNull();
  });

  it('is not put together from malformed parts', () => {
    expect(() => formatEndpointCredential('x', secret)).toThrow('endpoint credential');
    expect(() => formatEndpointCredential(endpointId, 'short')).toThrow('endpoint credential');
  });
});
