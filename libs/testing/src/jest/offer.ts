import { createServer } from 'node:http';

export type Offer = Readonly<{ url: string; withdraw: () => void }>;

/**
 * Answers every request with what `answer` gives, or with its error. Specs run in processes of
 * their own, so what they share is started here, when the first of them asks.
 */
export async function openOffer(answer: () => Promise<string>): Promise<Offer> {
  const server = createServer((_request, response) => {
    // A connection kept alive could be closed just as a spec uses it again.
    response.setHeader('connection', 'close');
    answer().then(
      (text) => response.end(text),
      (error: unknown) => {
        response.statusCode = 500;
        response.end(error instanceof Error ? (error.stack ?? error.message) : String(error));
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (!address || typeof address === 'string') throw new Error('No TCP port on 127.0.0.1.');
  return {
    url: `http://127.0.0.1:${address.port}/`,
    withdraw: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
