import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { freshDatabase, type FreshDatabase } from '@patchtrail/testing';
import { openDatabase, tryLease } from './index.js';

let fresh: FreshDatabase;
let isHeard: boolean;
let sockets: Socket[];
const server = createServer((client) => {
  const upstream = connect(Number(new URL(fresh.url).port), '127.0.0.1');
  sockets.push(client, upstream);
  for (const [from, to] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    from.on('error', () => to.destroy()).on('close', () => to.destroy());
    from.on('data', (chunk) => {
      if (isHeard) to.write(chunk);
    });
  }
});

beforeEach(async () => {
  [isHeard, sockets] = [true, []];
  fresh = await freshDatabase('silent');
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  await fresh.drop();
});

const silence = () => {
  isHeard = false;
};

it.each([
  ['in a transaction', false],
  ['at its end', true],
])('gives up a server that falls silent %s, and asks again', async (_, isAtEnd) => {
  const url = new URL(fresh.url);
  const address = server.address();
  url.port = typeof address === 'object' ? String(address?.port) : '';
  const db = await openDatabase({ url: url.href, applicationName: 'spec', silenceMs: 300 });
  try {
    const begun = db.transaction(async (tx) => {
      await tx.rows('SELECT 1');
      silence();
      if (!isAtEnd) await tx.rows('SELECT 2');
    });
    await expect(begun).rejects.toMatchObject({ name: 'SqlError', code: 'ETIMEDOUT' });
    isHeard = true;
    expect(await db.rows('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  } finally {
    await db.close();
  }
});

it('lets go of a lease although its server has fallen silent', async () => {
  const url = new URL(fresh.url);
  const address = server.address();
  url.port = typeof address === 'object' ? String(address?.port) : '';
  const lease = await tryLease(url.href, 'silent');
  expect(lease).not.toBeNull();
  // Not even the end of the connection is answered.
  for (const socket of sockets) socket.pause();
  await lease?.release();
});
