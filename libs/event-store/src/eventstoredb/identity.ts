import { randomUUID } from 'node:crypto';
import { jsonEvent, WrongExpectedVersionError } from '@eventstore/db-client';
import { validate as isUuid } from 'uuid';
import { answerTo, type Server } from './answers.js';
import { firstIn } from './read.js';

/** Its one event has none of our metadata: no reader of all events takes it for one of ours. */
const STREAM = 'patchtrailStore-identity';
const TYPE = 'StoreIdentified';

/** The id that whoever opened the store first gave it, for ever. */
export async function identity(server: Server): Promise<string> {
  const known = await firstIn(server, STREAM);
  const id = known === null ? await identify(server) : known.id;
  if (!isUuid(id)) throw new Error(`${STREAM} does not hold the id of this store.`);
  return `eventstoredb:${id}`;
}

/** One of those who get here at the same time wins, and all answer with its id. */
async function identify(server: Server): Promise<string | undefined> {
  const event = jsonEvent({ id: randomUUID(), type: TYPE, data: {} });
  try {
    await answerTo(server, `append to ${STREAM}`, (deadline) =>
      server.client.appendToStream(STREAM, event, {
        expectedRevision: 'no_stream',
        requiresLeader: true,
        deadline,
      }),
    );
  } catch (error) {
    if (!(error instanceof WrongExpectedVersionError)) throw error;
  }
  return (await firstIn(server, STREAM))?.id;
}
