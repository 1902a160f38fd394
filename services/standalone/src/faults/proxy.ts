import { connect, createServer, type Server, type Socket } from 'node:net';

/** What a proxy does with the bytes of its connections. */
export type Weather =
  | Readonly<{ kind: 'clear' }>
  /** Everything arrives this much later, in its order. */
  | Readonly<{ kind: 'delay'; ms: number }>
  /** Connections are taken and bytes are accepted, and nothing is forwarded either way. */
  | Readonly<{ kind: 'half-open' }>
  /** Nobody is let in. */
  | Readonly<{ kind: 'closed' }>;

export type Proxy = Readonly<{
  port: number;
  /** For what is sent from now on; what was withheld before stays withheld for its connection. */
  set: (weather: Weather) => void;
  /** Ends every connection at once, without a farewell. Returns how many there were. */
  cut: () => number;
  /** Where connections go from now on. */
  aim: (port: number) => void;
  close: () => Promise<void>;
}>;

const HOST = '127.0.0.1';

type Pair = Readonly<{ client: Socket; server: Socket }>;

/** A TCP proxy on the loopback interface that can be told to be a bad network. */
export async function startProxy(targetPort: number, port = 0): Promise<Proxy> {
  let weather: Weather = { kind: 'clear' };
  let target = targetPort;
  const pairs = new Set<Pair>();
  const drop = (pair: Pair) => {
    if (!pairs.delete(pair)) return;
    cutOff(pair.client);
    cutOff(pair.server);
  };
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    if (weather.kind === 'closed') {
      cutOff(client.on('error', () => undefined));
      return;
    }
    const upstream = connect({ host: HOST, port: target, noDelay: true, allowHalfOpen: true });
    const pair = { client, server: upstream };
    pairs.add(pair);
    for (const socket of [client, upstream]) {
      socket.on('error', () => drop(pair)).on('close', () => drop(pair));
    }
    forward(client, upstream, () => weather);
    forward(upstream, client, () => weather);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, HOST, resolve);
  });
  const cut = () => {
    const count = pairs.size;
    for (const pair of pairs) drop(pair);
    return count;
  };
  return {
    port: portOf(server),
    set: (next) => {
      weather = next;
      if (next.kind === 'closed') cut();
    },
    cut,
    aim: (next) => {
      target = next;
    },
    close: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * Without a farewell, unless one is under way: a reset fails then, and Node never lets go of the
 * socket, nor of the process at its end.
 */
export function cutOff(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** Once something was withheld from a connection, nothing may follow it: bytes must not be left out. */
function forward(from: Socket, to: Socket, weather: () => Weather): void {
  let isStuck = false;
  let queue = Promise.resolve();
  const later = (act: () => void) => {
    const now = weather();
    if (now.kind === 'half-open') isStuck = true;
    const ms = now.kind === 'delay' ? now.ms : 0;
    const due = performance.now() + ms;
    queue = queue.then(async () => {
      if (isStuck) return;
      const leftMs = due - performance.now();
      if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
      if (!to.destroyed) act();
    });
  };
  from.on('data', (chunk) => {
    later(() => {
      if (to.write(chunk)) return;
      from.pause();
      to.once('drain', () => from.resume());
    });
  });
  from.on('end', () => later(() => to.end()));
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No TCP port is free.');
  return address.port;
}
