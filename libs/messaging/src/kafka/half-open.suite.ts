import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A way to a broker that can fall silent with its connections open, as a lost route lets it. */
export type SilentWay = Readonly<{
  /** `host:port`, also before there is a broker. */
  address: string;
  leadTo: (broker: string) => void;
  /** Nothing passes over the connections that are there; new ones work, unless all are to be silent. */
  silence: (which: 'these' | 'all') => void;
  /** The connection that is next asked for this (a number of Kafka's protocol) ends instead. */
  cutAt: (request: number) => void;
  /** Whether that is still to come. */
  isToCut: () => boolean;
  /** New connections work again; those that were silenced are ended. */
  speak: () => void;
  close: () => Promise<void>;
}>;

/** A request begins with the length of what follows, and then says which it is. */
const LENGTH_BYTES = 4;

/** Those that begin in what has arrived at once, which they may share. */
function requestsIn(bytes: Buffer): readonly number[] {
  const found: number[] = [];
  for (let at = 0; at + LENGTH_BYTES + 2 <= bytes.length;) {
    found.push(bytes.readInt16BE(at + LENGTH_BYTES));
    at += LENGTH_BYTES + bytes.readUInt32BE(at);
  }
  return found;
}

export async function openSilentWay(): Promise<SilentWay> {
  const pairs = new Set<readonly [Socket, Socket | null]>();
  let target: { host: string; port: number } | null = null;
  let isSilent = false;
  let cutAt: number | null = null;
  const server = createServer((client) => {
    client.on('error', () => undefined);
    const broker = isSilent || target === null ? null : connect(target);
    const pair = [client, broker] as const;
    pairs.add(pair);
    client.on('close', () => {
      pairs.delete(pair);
      broker?.destroy();
    });
    if (broker === null) return;
    broker.on('error', () => client.destroy()).on('close', () => client.destroy());
    client.on('data', (bytes) => {
      if (cutAt === null || !requestsIn(bytes).includes(cutAt)) return;
      cutAt = null;
      broker.destroy();
    });
    client.pipe(broker).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${String(portOf(server))}`,
    leadTo: (broker) => {
      const [host = '', port = ''] = broker.split(':');
      target = { host, port: Number(port) };
    },
    silence: (which) => {
      isSilent = which === 'all';
      for (const [client, broker] of pairs) {
        client.unpipe().pause();
        // The broker's end is gone: what it still says goes nowhere.
        broker?.removeAllListeners('close').unpipe().destroy();
      }
    },
    cutAt: (request) => (cutAt = request),
    isToCut: () => cutAt !== null,
    speak: () => {
      isSilent = false;
      for (const [client] of pairs) client.destroy();
    },
    close: async () => {
      for (const pair of pairs) for (const socket of pair) socket?.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
