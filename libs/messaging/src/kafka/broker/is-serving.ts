import { connect } from 'node:net';

const DEADLINE_MS = 2_000;

/** A Metadata request of version 1 for no topic, from the client `ready`, with its length. */
const METADATA_REQUEST = Buffer.concat([
  Buffer.from([0, 0, 0, 19]),
  Buffer.from([0, 3, 0, 1, 0, 0, 0, 1, 0, 5]),
  Buffer.from('ready'),
  Buffer.from([0, 0, 0, 0]),
]);

/**
 * Whether a broker answers and counts itself among the brokers. After a crash it listens before
 * that: it is fenced until its earlier session has expired, and takes no messages.
 */
export function isServing(address: string): Promise<boolean> {
  const at = address.lastIndexOf(':');
  const socket = connect({ host: address.slice(0, at), port: Number(address.slice(at + 1)) });
  let answer = Buffer.alloc(0);
  return new Promise((resolve) => {
    const done = (serves: boolean) => {
      socket.destroy();
      resolve(serves);
    };
    socket.setTimeout(DEADLINE_MS, () => done(false));
    socket.once('error', () => done(false));
    socket.once('close', () => resolve(false));
    socket.once('connect', () => socket.write(METADATA_REQUEST));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      // Length, correlation id, number of brokers.
      if (answer.length >= 12) done(answer.readInt32BE(8) > 0);
    });
  });
}
