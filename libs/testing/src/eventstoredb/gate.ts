import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** The double's public port: passes bytes on to the gRPC server, or misbehaves as networks do. */
export type Gate = {
  readonly port: number;
  connections(): number;
  /** Resets every connection. */
  reset(): number;
  /** Half-open: connections are accepted and kept, and nothing passes either way. */
  hang(on: boolean): void;
  /** Refuses connections, and resets those there are. */
  shut(): Promise<void>;
  open(): Promise<void>;
};

export const HOST = '127.0.0.1';

/** `target` is asked for each connection: a restarted server has another port. */
export async function createGate(port: number, target: () => number): Promise<Gate> {
  const pairs = new Map<Socket, Socket | null>();
  let hanging = false;

  const pass = (socket: Socket): void => {
    const upstream = connect(target(), HOST).setNoDelay(true);
    pairs.set(socket, upstream);
    upstream.on('error', () => socket.destroy());
    upstream.on('close', () => socket.destroy());
    socket.pipe(upstream);
    upstream.pipe(socket);
  };
  const accept = (socket: Socket): void => {
    socket.setNoDelay(true);
    pairs.set(socket, null);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      pairs.get(socket)?.destroy();
      pairs.delete(socket);
    });
    if (hanging) socket.pause();
    else pass(socket);
  };
  const reset = (): number => {
    const count = pairs.size;
    for (const socket of pairs.keys()) {
      // A reset fails while a farewell is under way, and Node never lets go of the socket.
      if (socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
    return count;
  };

  let server = await listen(port, accept);
  const bound = portOf(server);
  return {
    port: bound,
    connections: () => pairs.size,
    reset,
    hang: (on) => {
      if (on === hanging) return;
      hanging = on;
      for (const [socket, upstream] of pairs) {
        if (on) freeze(socket, upstream);
        else thaw(socket, upstream, () => pass(socket));
      }
    },
    shut: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      reset();
      await closed;
    },
    open: async () => {
      server = await listen(bound, accept);
    },
  };
}

function freeze(socket: Socket, upstream: Socket | null): void {
  socket.unpipe();
  upstream?.unpipe();
  socket.pause();
  upstream?.pause();
}

function thaw(socket: Socket, upstream: Socket | null, pass: () => void): void {
  if (upstream === null) {
    pass();
    return;
  }
  socket.pipe(upstream);
  upstream.pipe(socket);
}

async function listen(port: number, accept: (socket: Socket) => void): Promise<Server> {
  const server = createServer(accept);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, HOST, resolve);
  });
  return server;
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('The port is not known.');
  return address.port;
}
