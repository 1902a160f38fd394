import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runScript } from '@patchtrail/testing';
import { addTo } from '../counter.suite.js';
import type { EventStore } from '../event-store.js';
import { commandIdFrom } from '../ids.js';
import { freshStream } from '../test-events.suite.js';

const SCRIPT = fileURLToPath(new URL('./crash-command.suite.ts', import.meta.url));

/** A store, and the URL by which another process opens it. */
export type OpenStoreByUrl = () => Promise<{
  store: EventStore;
  url: string;
  close: () => Promise<void>;
}>;

/** What a command leaves behind when its process dies after the commit and before the reply. */
export function crashSuite(adapter: string, open: OpenStoreByUrl): void {
  describe(`event store: ${adapter}, a process killed between commit and reply`, () => {
    let opened: Awaited<ReturnType<OpenStoreByUrl>>;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened.close());

    it.each([
      ['at once', false],
      ['after somebody else has appended', true],
    ])('has its command in the stream once when it is retried %s', async (_, isOvertaken) => {
      const { store, url } = opened;
      const stream = freshStream();
      const commandId = commandIdFrom('crash', stream);
      const start = (then: 'halt' | 'answer') =>
        runScript(SCRIPT, { args: [url, stream, commandId, then] });
      await addTo(store, stream, 1, commandIdFrom('before', stream));

      const killed = start('halt');
      await killed.line(/^stored, not answered$/);
      expect(await killed.kill()).toMatchObject({ signal: 'SIGKILL' });
      expect(await store.read(stream)).toHaveLength(2);
      if (isOvertaken) await addTo(store, stream, 5, commandIdFrom('other', stream));

      const retried = start('answer');
      const answer = await retried.line(/^\{/);
      expect(JSON.parse(answer)).toEqual({ repeated: true, revision: 1, state: 3 });
      expect(await retried.exited).toEqual({ code: 0, signal: null });
      const stored = await store.read(stream);
      expect(stored.filter(({ metadata }) => metadata.commandId === commandId)).toHaveLength(1);
      expect(stored).toHaveLength(isOvertaken ? 3 : 2);
    });
  });
}
