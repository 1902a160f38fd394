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
