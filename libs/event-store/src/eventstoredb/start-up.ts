import { AccessDeniedError, ErrorType, isCommandError } from '@eventstore/db-client';
import type { Log } from '../follow/log.js';
import { answerTo, type Server } from './answers.js';
import type { Connection } from './connection-url.js';
import { identity } from './identity.js';
import type { ServerReport } from './leader-client.js';
import { head } from './read.js';

type Version = Readonly<{ year: number; month: number }>;

/** The oldest server that is accepted, and the oldest that its makers still look after. */
const OLDEST: Version = { year: 24, month: 6 };
const SUPPORTED: Version = { year: 24, month: 10 };
const METHODS_NEEDED = ['streams.append', 'streams.read'];
const GRPC_UNAUTHENTICATED = 16;

/** A server, or rights in it, with which this store cannot work. The message says what to do. */
export class UnfitServer extends Error {
  constructor(problem: string, options?: ErrorOptions) {
    super(`EventStoreDB: ${problem}`, options);
    this.name = 'UnfitServer';
  }
}

/**
 * Makes sure that the server is new enough and the user may do what this store does, gives the
 * store its identity if it has none, and logs what was found.
 * @throws UnfitServer
 */
export async function checkServer(server: Server, connection: Connection, log: Log): Promise<void> {
  const report = await answerTo(server, 'question for the version', (deadlineMs) =>
    server.client.report(deadlineMs),
  );
  checkVersion(report, log);
  const user = userOf(connection, log);
  await asUser(user, 'read $all', () => head(server));
  const id = await asUser(user, 'read and write streams', () => identity(server));
  const leader = await server.client.node();
  const { version, methods } = report;
  log.info(
    {
      version,
      // Every call asks for the leader, so this is the one that has just answered.
      leader,
      tls: connection.tls,
      user,
      identity: id,
      batchAppend: methods.includes('streams.batchappend'),
      methods: methods.length,
    },
    'connected to EventStoreDB',
  );
}

function checkVersion({ version, methods }: ServerReport, log: Log): void {
  const [, year, month] = /^v?(\d{1,4})\.(\d{1,4})(?:\.|-|$)/.exec(version) ?? [];
  if (year === undefined || month === undefined) {
    throw new UnfitServer(`the server does not tell a version, but "${version.slice(0, 40)}".`);
  }
  const found = { year: Number(year), month: Number(month) };
  if (isBefore(found, OLDEST)) {
    throw new UnfitServer(
      `the server is ${version}; ${textOf(SUPPORTED)} or newer is needed. Upgrade the server.`,
    );
  }
  const missing = METHODS_NEEDED.filter((method) => !methods.includes(method));
  if (missing.length > 0) {
    throw new UnfitServer(`the server ${version} does not offer ${missing.join(' and ')}.`);
  }
  if (isBefore(found, SUPPORTED)) {
    const supported = textOf(SUPPORTED);
    log.warn({ version, supported }, 'this EventStoreDB is older than the versions supported');
  }
}

function isBefore(a: Version, b: Version): boolean {
  return a.year === b.year ? a.month < b.month : a.year < b.year;
}

function textOf({ year, month }: Version): string {
  return `${year}.${month}`;
}

function userOf({ credentials, tls }: Connection, log: Log): string | null {
  if (credentials === null) return null;
  if (tls) return credentials.username;
  log.warn({}, 'without TLS the user of the EventStoreDB URL is not sent, and nobody is refused');
  return null;
}

async function asUser<T>(user: string | null, right: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const who = user === null ? 'nobody, for the URL names no user,' : `the user ${user}`;
    if (isUnauthenticated(error)) {
      throw new UnfitServer(`${who} is not known to the server, or has another password.`, {
        cause: error,
      });
    }
    if (!(error instanceof AccessDeniedError)) throw error;
    throw new UnfitServer(
      `${who} may not ${right}. Run npm run eventstoredb:grant once as an administrator; ` +
        'docs/eventstoredb.md describes the rights.',
      { cause: error },
    );
  }
}

function isUnauthenticated(error: unknown): boolean {
  return (
    error instanceof Error &&
    isCommandError(error) &&
    error.type === ErrorType.ACCESS_DENIED &&
    Number(error.code) === GRPC_UNAUTHENTICATED
  );
}
