import type { Kafka } from 'kafkajs';
import type { Log } from '../log.js';
import { type Client, type ClientLimits, type KafkaConnection, openClient } from './client.js';
import { within } from '../deadline.js';

type Connectable = { connect: () => Promise<void>; disconnect: () => Promise<void> };
type Session<T> = Readonly<{ client: Client; api: T; connected: Promise<void> }>;

/** A producer or admin client that is connected when it is first used. */
export type Link<T> = Readonly<{
  /**
   * Rejects at the deadline. After a failure of the connection all that is under way on it fails
   * too, and the next use has a new one.
   */
  use: <R>(deadlineMs: number, what: string, work: (api: T) => Promise<R>) => Promise<R>;
  /** There is no further use: who asks again, because this cut it off, must not connect anew. */
  close: () => Promise<void>;
}>;

const CLOSE_MS_MAX = 5_000;

export function createLink<T extends Connectable>(
  options: Readonly<{
    connection: KafkaConnection;
    log: Log | undefined;
    create: (kafka: Kafka) => T;
    limits?: ClientLimits;
    /** Whether the connection is as good as before. */
    survives: (error: unknown) => boolean;
  }>,
): Link<T> {
  let current: Session<T> | null = null;
  let isClosed = false;
  /** Also what nobody waits for any more. */
  const underWay = new Set<Promise<unknown>>();
  const open = (): Session<T> => {
    const client = openClient(options.connection, options.log, options.limits);
    const api = options.create(client.kafka);
    const connected = api.connect();
    connected.catch(() => undefined);
    return { client, api, connected };
  };
  const drop = (session: Session<T>) => {
    if (current === session) current = null;
    session.client.cut();
  };
  return {
    use: async (deadlineMs, what, work) => {
      if (isClosed) throw new Error(`${what}: this client is closed`);
      const session = (current ??= open());
      const done = session.connected.then(() => work(session.api));
      const forget = () => underWay.delete(done);
      underWay.add(done);
      done.then(forget, forget);
      try {
        return await within(deadlineMs, what, done);
      } catch (error) {
        if (!options.survives(error)) drop(session);
        throw error;
      }
    },
    close: async () => {
      isClosed = true;
      const session = current;
      if (session !== null) {
        await within(CLOSE_MS_MAX, 'disconnecting', session.api.disconnect()).catch(
          () => undefined,
        );
        drop(session);
      }
      // What was cut off learns it at its next try. Until then it keeps the process.
      await within(CLOSE_MS_MAX, 'ending', Promise.allSettled(underWay)).catch(() => undefined);
    },
  };
}
