import { addTo } from '../counter.suite.js';
import { createTestLog } from '../log.suite.js';
import { openEventStore } from '../open-event-store.js';

/**
 * A process that handles one command, and between the commit and the reply of its append does as it
 * was told: `halt` tells that the append is stored and never answers, `answer` answers.
 */
const [, , url = '', stream = '', commandId = '', then = 'answer'] = process.argv;

const store = await openEventStore({ url, log: createTestLog() });
const halting: typeof store = {
  ...store,
  append: async (...append) => {
    const result = await store.append(...append);
    if (then === 'answer') return result;
    console.log('stored, not answered');
    // Not every client keeps its process alive.
    return new Promise(() => setInterval(() => undefined, 1_000));
  },
};
const { repeated, revision, state } = await addTo(halting, stream, 2, commandId);
console.log(JSON.stringify({ repeated, revision, state }));
await store.close();
