import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Database, openDatabase } from '@patchtrail/postgres';
import { eventually, freshProvisioned, type FreshProvisioned } from '@patchtrail/testing';
import type { Bus } from '../bus.js';
import { messageOf } from '../test-messages.suite.js';
import { busGrants, busMigrations } from './migrations.js';
import { type OpenBus, openPostgresBus } from './postgres-bus.js';

const TOPIC = 'spec.topic.v1';

describe('the retention of the log in PostgreSQL', () => {
  let provisioned: FreshProvisioned;
  let owner: Database;
  let url: string;
  let bus: OpenBus;

  beforeEach(async () => {
    provisioned = await freshProvisioned([{ database: 'bus', role: 'bus', ownsSchema: false }]);
    const urls = provisioned.databases.get('bus') ?? { url: '', ownerUrl: '' };
    url = urls.url;
    const migrations = busMigrations;
    owner = await openDatabase({ url: urls.ownerUrl, applicationName: 'spec', migrations });
    await owner.run(busGrants(new URL(url).username));
    bus = await openPostgresBus({ url, pace: { redeliveryMs: 10 } });
    await bus.ensureTopic(TOPIC, 1);
  });
  afterEach(async () => {
    await bus.close();
    await owner.close();
    await provisioned.drop();
  });

  const publish = async (count: number, days: number) => {
    const messages = Array.from({ length: count }, () => messageOf('k'));
    await bus.publish(TOPIC, messages);
    await owner.run(
      `UPDATE messages SET published_at = now() - make_interval(days => $1)
        WHERE published_at > now() - interval '1 hour'`,
      [days],
    );
    return messages.map(({ id }) => id);
  };
  const offsets = async () => {
    const rows = await owner.rows<{ offset: string }>('SELECT "offset" FROM messages ORDER BY 1');
    return rows.map(({ offset }) => Number(offset));
  };
  /** What a group gets until it has got nothing more, from a bus of its own. */
  const consume = async (group: string, from: Bus = bus) => {
    const stop = new AbortController();
    const got: string[] = [];
    const handle = ({ message }: { message: { id: string } }) =>
      Promise.resolve(void got.push(message.id));
    const done = from.run({ group, topics: [TOPIC], signal: stop.signal, handle });
    await eventually(async () => expect(await from.lag(group, [TOPIC])).toBe(0n));
    stop.abort();
    await done;
    return got;
  };
  /** One round of deletions, as another process would have it. */
  const retain = async (keptMs?: number, groups: readonly string[] = []) => {
    const known = groups.map((group) => ({ group, topics: [TOPIC] }));
    const rounds = await owner.rows<{ deleted: string }>(
      'SELECT delete_consumed_messages($1, $2, $3) AS deleted',
      [(keptMs ?? 0) / 1_000, known.map(({ group }) => group), known.map(() => TOPIC)],
    );
    return Number(rounds[0]?.deleted);
  };

  it('deletes what is old and consumed, by itself, and keeps the rest', async () => {
    await publish(3, 8);
    await publish(2, 6);
    await consume('one');
    const retention = { everyMs: 20, groups: [] };
    const keeper = await openPostgresBus({ url, retention });
    await eventually(async () => expect(await offsets()).toEqual([3, 4]));
    await publish(1, 8);
    await consume('one');
    // A younger message does not stand in the way of an older one behind it.
    await eventually(async () => expect(await offsets()).toEqual([3, 4, 5]));
    await keeper.close();
  });

  it('deletes nothing that a known group has not consumed', async () => {
    await publish(3, 30);
    await consume('quick');
    await owner.run("INSERT INTO group_offsets VALUES ('slow', $1, 0, 1) ON CONFLICT DO NOTHING", [
      TOPIC,
    ]);
    await retain();
    expect(await offsets()).toEqual([1, 2]);
    expect(await retain()).toBe(0);
    expect(await consume('slow')).toHaveLength(2);
    await retain();
    expect(await offsets()).toEqual([2]);
  });

  it('deletes nothing that an expected group has not consumed, though it never ran', async () => {
    await publish(2, 30);
    await consume('quick');
    expect(await retain(0, ['expected'])).toBe(0);
    expect(await consume('expected')).toHaveLength(2);
    expect(await retain(0, ['expected'])).toBe(1);
  });

  it('deletes nothing of a topic that nobody has read', async () => {
    await publish(2, 30);
    expect(await retain()).toBe(0);
  });

  it('keeps the newest message, so that offsets go on', async () => {
    await publish(3, 30);
    await consume('one');
    await retain();
    expect(await offsets()).toEqual([2]);
    const [next] = await publish(1, 0);
    expect(await offsets()).toEqual([2, 3]);
    expect(await consume('one')).toEqual([next]);
  });

  it('keeps a message for a day, whatever it is told', async () => {
    await publish(2, 0);
    await consume('one');
    expect(await retain(0)).toBe(0);
  });

  it('lets a new group, and one that was set back, begin with what there is', async () => {
    await publish(3, 30);
    await consume('one');
    await retain();
    const [kept] = await consume('new');
    const more = await publish(2, 0);
    expect(await bus.lag('newer', [TOPIC])).toBe(3n);
    expect(await consume('newer')).toEqual([kept, ...more]);
    await bus.rewind('one', [TOPIC]);
    expect(await bus.lag('one', [TOPIC])).toBe(3n);
    expect(await consume('one')).toEqual([kept, ...more]);
  });

  it('deletes at most a thousand of a partition at a time', async () => {
    await publish(1_000, 30);
    await publish(500, 30);
    await owner.run("INSERT INTO group_offsets VALUES ('one', $1, 0, 1500)", [TOPIC]);
    expect(await retain()).toBe(1_000);
    expect(await retain()).toBe(499);
    expect(await retain()).toBe(0);
  });

  it('is the only way in which the role of the services deletes', async () => {
    const role = await openDatabase({ url, applicationName: 'spec' });
    await expect(role.run('DELETE FROM messages')).rejects.toMatchObject({ code: '42501' });
    await publish(2, 30);
    await consume('one');
    await role.rows("SELECT delete_consumed_messages(0, '{}', '{}')");
    expect(await offsets()).toEqual([1]);
    await role.close();
  });
});
