import { jsonEvent } from '@eventstore/db-client';
import type { Log } from '../follow/log.js';
import { answerTo, LIMITS, type Server } from './answers.js';
import { leaseClient } from './client-lease.js';
import { lastIn } from './read.js';

const ADMINS = '$admins';
/** Where the server keeps who may do what with `$all`. */
const METADATA_OF_ALL = '$$$all';
const LOGIN = /^[^$\s][^\s]{0,99}$/;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Lets a user read `$all`, which only administrators may by default. Whatever else the server knows
 * about `$all` stays; done again, it changes nothing.
 *
 * @param options.url of the server, as an administrator
 * @returns whether there was something to change
 */
export async function grantReadOfAll(options: {
  url: string;
  user: string;
  log: Log;
}): Promise<boolean> {
  const { url, user, log } = options;
  if (!LOGIN.test(user)) throw new Error('user: must be the login name of one user');
  const lease = leaseClient(url);
  try {
    const closing = new AbortController().signal;
    const isChanged = await addReader({ client: lease.client, limits: LIMITS, closing }, user);
    log.info({ user }, isChanged ? 'may read $all now' : 'could read $all before');
    return isChanged;
  } finally {
    await lease.release();
  }
}

async function addReader(server: Server, user: string): Promise<boolean> {
  const last = await lastIn(server, METADATA_OF_ALL);
  const metadata = fieldsOf(last?.data);
  const acl = fieldsOf(metadata['$acl']);
  const readers = rolesOf(acl['$r']);
  if (readers.includes(user) || readers.includes('$all')) return false;
  const data = { ...metadata, $acl: { ...acl, $r: [...readers, user] } };
  const event = jsonEvent({ type: '$metadata', data });
  await answerTo(server, `append to ${METADATA_OF_ALL}`, (deadline) =>
    server.client.appendToStream(METADATA_OF_ALL, event, {
      // Of two who change it at the same time one is refused, and starts again by hand.
      expectedRevision: last?.revision ?? 'no_stream',
      requiresLeader: true,
      deadline,
    }),
  );
  return true;
}

function fieldsOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value));
}

/** One role or several; where none is named, those that may by default. */
function rolesOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value)) return [ADMINS];
  return value.filter((role) => typeof role === 'string');
}
