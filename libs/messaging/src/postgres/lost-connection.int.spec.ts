import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { openDatabase } from '@patchtrail/postgres';
import { eventually } from '@patchtrail/testing';
import { openStage, Sent, type Stage } from '../messaging.suite.js';
import { messageOf } from '../test-messages.suite.js';

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});
afterEach(() => stage.close());

it('outlives the loss of a connection in the midst of a publication', async () => {
  const other = await openDatabase({ url: stage.busUrl, applicationName: 'spec', poolMax: 2 });
  try {
    await other.transaction(async (tx) => {
      await tx.run('LOCK TABLE messages IN ACCESS EXCLUSIVE MODE');
      const publishing = stage.bus.publish(Sent.topic, [messageOf('k')]);
      const failed = expect(publishing).rejects.toThrow(/terminat/);
      await eventually(async () => {
        const ended = await other.rows(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'patchtrail-bus'
              AND wait_event_type = 'Lock'`,
        );
        expect(ended).toHaveLength(1);
      });
      await failed;
    });
    await stage.bus.publish(Sent.topic, [messageOf('k')]);
    expect(await stage.bus.lag('spec.lost', [Sent.topic])).toBe(1n);
  } finally {
    await other.close();
  }
});

it('joins a group as soon as the database is back', async () => {
  const url = new URL(stage.busUrl);
  const name = url.pathname.slice(1);
  url.pathname = '/postgres';
  const admin = await openDatabase({ url: url.href, applicationName: 'spec', poolMax: 1 });
  const allow = (isAllowed: boolean) =>
    admin.run(`ALTER DATABASE ${name} ALLOW_CONNECTIONS ${String(isAllowed)}`);
  const stop = new AbortController();
  const got: string[] = [];
  try {
    await stage.bus.publish(Sent.topic, [messageOf('k', {}, 'first')]);
    await allow(false);
    await admin.rows('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [
      name,
    ]);
    const handle = ({ message }: { message: { id: string } }) =>
      Promise.resolve(void got.push(message.id));
    const member = { group: 'spec.late', topics: [Sent.topic], signal: stop.signal, handle };
    const running = stage.bus.run(member);
    // The first may still be given a connection that is just being ended.
    await eventually(() =>
      expect(stage.bus.lag('spec.late', [Sent.topic])).rejects.toThrow(/not .*accepting/),
    );
    await allow(true);
    await eventually(() => expect(got).toEqual(['first']));
    stop.abort();
    await running;
  } finally {
    stop.abort();
    await admin.close();
  }
});
