import { connect } from 'node:net';
import { EventStoreDBClient } from '@eventstore/db-client';
import { describe, expect, it } from '@jest/globals';
import { eventually } from '../eventually.js';
import { runScript } from '../run-script.js';
import { collect, counted, several } from './client.suite.js';
import { steerEventStoreDb } from './control-channel.js';
import { startEventStoreDb } from './server.js';

const MAIN = new URL('./main.ts', import.meta.url);
const TOOL = new URL('../../../../tools/with-eventstoredb.mjs', import.meta.url);

async function isClosed(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', () => resolve(true));
  });
}

describe('a double in a process of its own', () => {
  it('tells how to reach and to steer it, and ends at a signal', async () => {
    const script = runScript(MAIN, { args: ['--server-version', '26.1.0'] });
    try {
      const url = await script.line(/^esdb:\/\/admin:changeit@127\.0\.0\.1:\d+\?tls=false$/);
      const client = EventStoreDBClient.connectionString(url);
      const subscription = client.subscribeToAll();
      await client.appendToStream('counter-1', [counted(0)]);
      const control = (await script.line(/^control /)).slice('control '.length);
      expect((await steerEventStoreDb(control).state()).counts.appends).toBe(1);
      subscription.on('error', () => undefined);
      expect(await script.kill('SIGTERM')).toEqual({ code: 0, signal: null });
      await client.dispose();
      expect(script.errors()).toBe('');
    } finally {
      await script.kill();
    }
  });

  it('holds thousands of events', async () => {
    const script = runScript(MAIN);
    try {
      const client = EventStoreDBClient.connectionString(await script.line(/^esdb:/));
      for (let round = 0; round < 10; round += 1)
        await Promise.all(
          Array.from({ length: 100 }, (_, n) =>
            client.appendToStream(`counter-${round}${n}`, several(5)),
          ),
        );
      expect(await collect(client.readAll())).toHaveLength(5_000);
      await client.dispose();
    } finally {
      await script.kill('SIGTERM');
    }
  });
});

describe('with-eventstoredb', () => {
  const node = JSON.stringify(process.execPath);

  it('runs a command against a double, passes its exit code on and ends the double', async () => {
    const script = runScript(TOOL, {
      args: ['sh', '-c', `${node} -e 'console.log(process.env.EVENT_STORE_URL)'; exit 7`],
    });
    expect(await script.exited).toEqual({ code: 7, signal: null });
    const url = script.lines().at(-1) ?? '';
    expect(url).toMatch(/^esdb:\/\//);
    expect(await isClosed(Number(/:(\d+)\?/.exec(url)?.[1]))).toBe(true);
  });

  it('says what is wrong with a command that cannot run', async () => {
    const script = runScript(TOOL, { args: ['/nonexistent/command'] });
    expect(await script.exited).toEqual({ code: 127, signal: null });
    expect(script.errors()).toContain('ENOENT');
    const none = runScript(TOOL);
    expect(await none.exited).toEqual({ code: 2, signal: null });
    expect(none.errors()).toContain('Usage');
  });

  it('takes the double with it when it is killed', async () => {
    const script = runScript(TOOL, {
      args: ['sh', '-c', `${node} -e 'console.log(process.env.EVENT_STORE_URL)'`],
    });
    const url = await script.line(/^esdb:/);
    await script.kill();
    await eventually(async () => {
      expect(await isClosed(Number(/:(\d+)\?/.exec(url)?.[1]))).toBe(true);
    });
  });
});

describe('a cluster of one', () => {
  it('is discovered by gossip', async () => {
    const double = await startEventStoreDb();
    const url = double.connectionString.replace('esdb:', 'esdb+discover:');
    const client = EventStoreDBClient.connectionString(url);
    await client.appendToStream('counter-1', [counted(0)]);
    expect(await collect(client.readAll())).toHaveLength(1);
    await client.dispose();
    await double.stop();
  });
});

describe('stopping', () => {
  it('leaves no port open, whatever is going on', async () => {
    const double = await startEventStoreDb();
    const client = EventStoreDBClient.connectionString(double.connectionString);
    const subscription = client.subscribeToAll();
    const failed = new Promise((resolve) => subscription.once('error', resolve));
    await client.appendToStream('counter-1', [counted(0)]);
    await double.control.hang({ on: true });
    await double.stop();
    await failed;
    await client.dispose();
    expect(await isClosed(double.port)).toBe(true);
    expect(await isClosed(Number(new URL(double.controlUrl).port))).toBe(true);
  });

  it('frees the port, which can be asked for again', async () => {
    const first = await startEventStoreDb();
    await first.stop();
    const second = await startEventStoreDb({ port: first.port });
    expect(second.port).toBe(first.port);
    await second.stop();
  });
});
