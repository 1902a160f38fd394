import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '@patchtrail/testing';
import { cutOff, type Proxy, startProxy } from './proxy.js';

type Peer = Readonly<{ socket: Socket; received: () => string; events: () => readonly string[] }>;

describe('the proxy of faults', () => {
  let proxy: Proxy;
  let server: Server;
  let servers: Server[];
  let peers: Peer[];
  let served: Peer[];

  const peerOf = (socket: Socket): Peer => {
    let received = '';
    const events: string[] = [];
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    for (const event of ['end', 'close'] as const) socket.on(event, () => events.push(event));
    socket.on('error', ({ code }: NodeJS.ErrnoException) => events.push(code ?? 'error'));
    const peer = { socket, received: () => received, events: () => events };
    peers.push(peer);
    return peer;
  };
  const listen = async (onPeer: (peer: Peer) => void): Promise<number> => {
    const listening = createServer({ allowHalfOpen: true }, (socket) => onPeer(peerOf(socket)));
    servers.push(listening);
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    server = listening;
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  };
  const client = () =>
    peerOf(connect({ host: '127.0.0.1', port: proxy.port, allowHalfOpen: true }));
  /** A connection that has been through, with its other end. */
  const connected = async (): Promise<readonly [Peer, Peer]> => {
    const before = served.length;
    const near = client();
    near.socket.write('hello ');
    return eventually(() => {
      const far = served[before];
      expect(far?.received()).toBe('hello ');
      return [near, far!] as const;
    });
  };

  beforeEach(async () => {
    [servers, peers, served] = [[], [], []];
    proxy = await startProxy(await listen((peer) => served.push(peer)));
  });
  afterEach(async () => {
    for (const { socket } of peers) socket.destroy();
    await proxy.close();
    await Promise.all(servers.map((one) => new Promise((closed) => one.close(closed))));
  });

  it('lets go of a connection that is cut off as it says goodbye', async () => {
    const [near] = await connected();
    near.socket.end();
    cutOff(near.socket);
    await eventually(() => expect(near.events()).toEqual(['close']));
  });

  it('passes bytes and ends on, both ways', async () => {
    const [near, far] = await connected();
    far.socket.write('and back');
    await eventually(() => expect(near.received()).toBe('and back'));
    near.socket.end('bye');
    await eventually(() => expect([far.received(), far.events()]).toEqual(['hello bye', ['end']]));
    far.socket.end();
    await eventually(() => expect(near.events()).toEqual(['end', 'close']));
  });

  it('passes on more than its buffers hold, in order', async () => {
    const [near, far] = await connected();
    const sent = Array.from({ length: 60_000 }, (_, n) => `${n},`).join('');
    far.socket.write(sent);
    await eventually(() => expect(near.received().length).toBe(sent.length));
    expect(near.received()).toBe(sent);
  });

  it('delays what is sent, and keeps its order when the weather clears', async () => {
    const [near, far] = await connected();
    proxy.set({ kind: 'delay', ms: 150 });
    const since = performance.now();
    near.socket.write('slow ');
    await new Promise(setImmediate);
    await eventually(() => expect(far.received()).toContain('slow'));
    expect(performance.now() - since).toBeGreaterThanOrEqual(145);
    near.socket.write('first ');
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    proxy.set({ kind: 'clear' });
    near.socket.write('second');
    await eventually(() => expect(far.received()).toBe('hello slow first second'));
  });

  it('half-open takes connections and bytes and forwards nothing, also when it clears', async () => {
    const [near, far] = await connected();
    proxy.set({ kind: 'half-open' });
    near.socket.write('into the void ');
    far.socket.write('and from it');
    const late = client();
    await eventually(() => expect(late.socket.readyState).toBe('open'));
    late.socket.write('nobody hears');
    await eventually(() => expect(near.socket.writableLength).toBe(0));
    proxy.set({ kind: 'delay', ms: 1 });
    // One that came after shows that those before could have been heard.
    const [other, its] = await connected();
    near.socket.write('still');
    other.socket.write('heard');
    await eventually(() => expect(its.received()).toBe('hello heard'));
    expect([near.received(), far.received(), near.events()]).toEqual(['', 'hello ', []]);
  });

  it('cuts every connection at once and takes new ones', async () => {
    const pairs = [await connected(), await connected()];
    expect(proxy.cut()).toBe(2);
    for (const peer of pairs.flat()) {
      await eventually(() => expect(peer.events()).toEqual(['ECONNRESET', 'close']));
    }
    expect(proxy.cut()).toBe(0);
    await connected();
  });

  it('closed lets nobody in until it clears', async () => {
    const [near] = await connected();
    proxy.set({ kind: 'closed' });
    const refused = client();
    for (const peer of [near, refused]) {
      await eventually(() => expect(peer.events()).toEqual(['ECONNRESET', 'close']));
    }
    proxy.set({ kind: 'clear' });
    await connected();
  });

  it('goes where it is aimed, and says by a reset that nobody is there', async () => {
    const [near] = await connected();
    const elsewhere: Peer[] = [];
    proxy.aim(await listen((peer) => elsewhere.push(peer)));
    near.socket.write('old friend');
    client().socket.write('new friend');
    await eventually(() => {
      expect(elsewhere.map((peer) => peer.received())).toEqual(['new friend']);
      expect(served.map((peer) => peer.received())).toEqual(['hello old friend']);
    });
    proxy.aim(1);
    const lonely = client();
    await eventually(() => expect(lonely.events()).toContain('close'));
  });
});
