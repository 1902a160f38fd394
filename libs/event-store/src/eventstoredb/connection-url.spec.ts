import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { InvalidConnectionUrl, parseConnectionUrl } from './connection-url.js';

const FILE = fileURLToPath(import.meta.url);
const SECRET = 'hunter2';

describe('the URL of EventStoreDB', () => {
  it.each<[string, object]>([
    ['esdb://host', { hosts: [{ address: 'host', port: 2113 }], discover: false, tls: true }],
    ['esdb://host:1?tls=false', { hosts: [{ address: 'host', port: 1 }], tls: false }],
    ['esdb://[::1]:2113/', { hosts: [{ address: '[::1]', port: 2113 }], credentials: null }],
    [
      'esdb://a:1,b:2,c?nodePreference=leader',
      { hosts: [1, 2, 2113].map((port, n) => ({ address: 'abc'[n], port })), discover: false },
    ],
    ['esdb+discover://cluster.example', { discover: true }],
    ['esdb://us%40er:p%3Aw%40@host', { credentials: { username: 'us@er', password: 'p:w@' } }],
    [
      'esdb://host?keepaliveinterval=20000&connectionName=a%20b&TLSVERIFYCERT=true',
      { settings: { keepAliveInterval: 20_000, connectionName: 'a b' } },
    ],
  ])('%s is understood', (url, expected) => {
    expect(parseConnectionUrl(url)).toMatchObject(expected);
  });

  it('names files, which are read', () => {
    const file = encodeURIComponent(FILE);
    const { certificates } = parseConnectionUrl(
      `esdb://host?tlsCaFile=${file}&userCertFile=${file}&userKeyFile=${file}`,
    );
    expect(Object.keys(certificates)).toEqual(['rootCertificate', 'userCertFile', 'userKeyFile']);
    expect(certificates.rootCertificate?.toString()).toContain('names files, which are read');
  });

  it.each([
    ['http://host', 'must be esdb://'],
    ['esdb://', 'must be esdb://'],
    [`esdb://user:${SECRET}@`, 'must be esdb://'],
    [`esdb://user:${SECRET}@host/path/x`, 'must be esdb://'],
    [`esdb://user:${SECRET}:x@host`, 'the user must be user:password'],
    [`esdb://${SECRET}@host`, 'the user must be user:password'],
    [`esdb://user:${SECRET}%zz@host`, 'the password must be percent-encoded'],
    [`esdb://user:${SECRET}@ho st`, 'each host must be'],
    ['esdb://host:0', 'each host must be'],
    ['esdb://host:70000', 'each host must be'],
    ['esdb://a,,b', 'each host must be'],
    ['esdb+discover://a,b', 'esdb+discover takes one name'],
    [`esdb://user:${SECRET}@host?tsl=false`, 'option tsl is not known'],
    ['esdb://host?tls=no', 'tls must be true or false'],
    ['esdb://host?tlsVerifyCert=false', 'tlsVerifyCert must be true'],
    ['esdb://host?nodePreference=follower', 'nodePreference must be leader'],
    ['esdb://host?throwOnAppendFailure=false', 'option throwOnAppendFailure is not known'],
    ['esdb://host?gossipTimeout=soon', 'gossipTimeout must be a whole number'],
    ['esdb://host?tlsCaFile=/nowhere/ca.crt', 'tlsCaFile must be a file that can be read'],
    [`esdb://host?userCertFile=${FILE}`, 'userCertFile and userKeyFile must be given together'],
  ])('%s is refused', (url, message) => {
    const parse = () => parseConnectionUrl(url);
    expect(parse).toThrow(InvalidConnectionUrl);
    expect(parse).toThrow(message);
    expect(parse).not.toThrow(SECRET);
  });
});
