import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { ServiceName } from '../services.js';

export type Received = Readonly<{
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}>;

type Answer = (received: Received, response: ServerResponse) => void;

/** A process of a service, as the front door sees it. */
export type Upstream = Readonly<{
  url: string;
  service: ServiceName;
  /** Without those for its health. */
  received: () => readonly Received[];
  setReady: (isReady: boolean) => void;
  /** What it does with a request; it says 200 and its own URL unless told. */
  answerWith: (answer: Answer) => void;
  close: () => Promise<void>;
}>;

export async function startUpstream(service: ServiceName): Promise<Upstream> {
  const received: Received[] = [];
  let [isReady, url] = [true, ''];
  let answer: Answer = (_, response) => void response.end(url);
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === '/health/ready') {
      const services = [{ service, ok: isReady, checks: [] }];
      response.writeHead(isReady ? 200 : 503).end(JSON.stringify({ ok: isReady, services }));
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
    const { method = '', headers } = request;
    const body = Buffer.concat(chunks).toString();
    const one = { method, url: request.url ?? '', headers, body };
    received.push(one);
    answer(one, response);
  };
  const server = createServer((request, response) => void take(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`;
  return {
    ...{ url, service, received: () => received },
    setReady: (is) => (isReady = is),
    answerWith: (given) => (answer = given),
    close: async () => {
      server.closeAllConnections();
      if (server.listening) await new Promise((closed) => server.close(closed));
    },
  };
}
