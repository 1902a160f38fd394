import { EventStoreDBClient } from '@eventstore/db-client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type User } from './access.js';
import { collect, counted, failureOf, several } from './client.suite.js';
import { type EventStoreDbDouble, startEventStoreDb } from './server.js';

const SERVICE: User = { name: 'patchtrail', password: 'pass: wörd', groups: ['services'] };
const WRONG = { name: 'admin', password: 'guessed' };

const clients: EventStoreDBClient[] = [];
const as = (double: EventStoreDbDouble, user: Parameters<typeof double.connectionStringFor>[0]) => {
  const client = EventStoreDBClient.connectionString(double.connectionStringFor(user));
  clients.push(client);
  return client;
};
const ADMIN = { name: 'admin', password: 'changeit' };
const OPS = { name: 'ops', password: 'changeit' };

afterEach(async () => {
  for (const client of clients.splice(0)) await client.dispose();
});

describe('a secured server', () => {
  let double: EventStoreDbDouble;
  beforeAll(async () => {
    double = await startEventStoreDb({ tls: true, users: [SERVICE] });
  });
  afterAll(() => double.stop());

  it('is not talked to without its certificate’s authority', async () => {
    const url = double.connectionString.replace(/&tlsCAFile=.*/, '');
    const client = EventStoreDBClient.connectionString(url);
    clients.push(client);
    expect(await failureOf(client.appendToStream('counter-1', [counted(0)]))).toMatchObject({
      message: expect.stringMatching(/self-signed|certificate/) as unknown,
    });
  });

  it('lets everybody with an account use streams, and nobody else', async () => {
    await as(double, SERVICE).appendToStream('counter-1', several(2));
    expect(await collect(as(double, OPS).readStream('counter-1'))).toHaveLength(2);
    for (const user of [null, WRONG]) {
      const client = as(double, user);
      expect(await failureOf(client.appendToStream('counter-1', [counted(0)]))).toMatchObject({
        type: 'access-denied',
      });
      expect(await failureOf(collect(client.readStream('counter-1')))).toMatchObject({
        type: 'access-denied',
      });
    }
  });

  it('shows $all and system streams to administrators only', async () => {
    for (const user of [SERVICE, OPS, null]) {
      const client = as(double, user);
      for (const reading of [
        client.readAll(),
        client.subscribeToAll(),
        client.readStream('$users'),
      ])
        expect(await failureOf(collect(reading))).toMatchObject({ type: 'access-denied' });
    }
    await collect(as(double, ADMIN).readAll());
    await collect(as(double, ADMIN).readStream('$users'));
  });

  it('shows $all to whom an administrator allows it', async () => {
    const other = await startEventStoreDb({ tls: true, users: [SERVICE] });
    try {
      const service = as(other, SERVICE);
      expect(
        await failureOf(service.setStreamMetadata('$all', { acl: { readRoles: ['patchtrail'] } })),
      ).toMatchObject({ type: 'access-denied' });
      await as(other, ADMIN).setStreamMetadata('$all', {
        acl: { readRoles: ['$admins', 'patchtrail'] },
      });
      await service.appendToStream('counter-1', several(2));
      expect(await collect(service.readAll())).toHaveLength(2);
      expect(await failureOf(collect(as(other, OPS).readAll()))).toMatchObject({
        type: 'access-denied',
      });
    } finally {
      await other.stop();
    }
  });

  it('keeps to a stream’s own list, then to $settings', async () => {
    const other = await startEventStoreDb({ tls: true, users: [SERVICE] });
    try {
      const admin = as(other, ADMIN);
      const settings = { $userStreamAcl: { $r: '$all', $w: ['services'] } };
      await admin.appendToStream('$settings', [
        { ...counted(0), type: '$settings', data: settings },
      ]);
      await admin.setStreamMetadata('mine-1', { acl: { writeRoles: ['ops'], readRoles: ['ops'] } });
      await as(other, OPS).appendToStream('mine-1', [counted(0)]);
      expect(await failureOf(as(other, OPS).appendToStream('any-1', [counted(0)]))).toMatchObject({
        type: 'access-denied',
      });
      await as(other, SERVICE).appendToStream('any-1', [counted(0)]);
      expect(await failureOf(collect(as(other, SERVICE).readStream('mine-1')))).toMatchObject({
        type: 'access-denied',
      });
    } finally {
      await other.stop();
    }
  });

  it('takes no event for $all from anybody', async () => {
    expect(await failureOf(as(double, ADMIN).appendToStream('$all', [counted(0)]))).toMatchObject({
      type: 'access-denied',
    });
  });

  it('refuses credentials when told to', async () => {
    await double.control.refuseCredentials({ on: true });
    const admin = as(double, ADMIN);
    expect(await failureOf(collect(admin.readAll()))).toMatchObject({ type: 'access-denied' });
    await double.control.behave();
    await collect(admin.readAll());
  });
});

describe('a secured server before 23.10', () => {
  it('lets anybody use streams, but not $all', async () => {
    const double = await startEventStoreDb({ tls: true, version: '22.10.5' });
    try {
      const anybody = as(double, null);
      await anybody.appendToStream('counter-1', several(1));
      expect(await collect(anybody.readStream('counter-1'))).toHaveLength(1);
      // Wrong credentials are worse than none.
      expect(await failureOf(collect(as(double, WRONG).readStream('counter-1')))).toMatchObject({
        type: 'access-denied',
        code: 16,
      });
      expect(await failureOf(collect(anybody.readAll()))).toMatchObject({ type: 'access-denied' });
    } finally {
      await double.stop();
    }
  });
});

describe('an insecure server', () => {
  it('allows everything to everybody', async () => {
    const double = await startEventStoreDb();
    try {
      await collect(as(double, null).readAll());
    } finally {
      await double.stop();
    }
  });
});
