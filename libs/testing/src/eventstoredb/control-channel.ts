import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decoder } from '@patchtrail/contracts';
import { Type } from '@sinclair/typebox';
import { COMMANDS, type EventStoreDbControl, STATE } from './control.js';
import { HOST } from './gate.js';

export type ControlChannel = { readonly url: string; close(): Promise<void> };

const BODY_BYTES_MAX = 64 * 1024;

type Perform = (body: unknown) => Promise<unknown>;

/** `POST /<command>` with the command's options as JSON; the answer is what the command returns. */
export async function openControlChannel(control: EventStoreDbControl): Promise<ControlChannel> {
  const performers = performersOf(control);
  const server = createServer((request, response) => {
    void answer(performers, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('The port is not known.');
  return {
    url: `http://${HOST}:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function performersOf(control: EventStoreDbControl): ReadonlyMap<string, Perform> {
  const endCalls = decoder(COMMANDS.endCalls);
  const delayReplies = decoder(COMMANDS.delayReplies);
  const refuseCalls = decoder(COMMANDS.refuseCalls);
  const loseAppends = decoder(COMMANDS.loseAppends);
  const tellSubscribers = decoder(COMMANDS.tellSubscribers);
  const refuseCredentials = decoder(COMMANDS.refuseCredentials);
  const withholdEvents = decoder(COMMANDS.withholdEvents);
  const hang = decoder(COMMANDS.hang);
  const restart = decoder(COMMANDS.restart);
  return new Map<string, Perform>([
    ['endCalls', (body) => control.endCalls(endCalls(body))],
    ['dropConnections', () => control.dropConnections()],
    ['delayReplies', (body) => control.delayReplies(delayReplies(body))],
    ['refuseCalls', (body) => control.refuseCalls(refuseCalls(body))],
    ['loseAppends', (body) => control.loseAppends(loseAppends(body))],
    ['tellSubscribers', (body) => control.tellSubscribers(tellSubscribers(body))],
    ['refuseCredentials', (body) => control.refuseCredentials(refuseCredentials(body))],
    ['withholdEvents', (body) => control.withholdEvents(withholdEvents(body))],
    ['hang', (body) => control.hang(hang(body))],
    ['restart', (body) => control.restart(restart(body))],
    ['state', () => control.state()],
    ['behave', () => control.behave()],
  ]);
}

async function answer(
  performers: ReadonlyMap<string, Perform>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const say = (status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body ?? null));
  };
  const perform = performers.get(request.url?.slice(1) ?? '');
  if (request.method !== 'POST' || perform === undefined) {
    say(404, { error: `There is no command ${request.method ?? ''} ${request.url ?? ''}.` });
    return;
  }
  try {
    const text = await bodyOf(request);
    const body: unknown = text === '' ? {} : JSON.parse(text);
    say(200, await perform(body));
  } catch (failure) {
    say(400, { error: failure instanceof Error ? failure.message : String(failure) });
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  request.setEncoding('utf8');
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > BODY_BYTES_MAX) throw new Error('The body is too large.');
  }
  return text;
}

const COMMAND_DEADLINE_MS = 30_000;

/** The control object of a double in another process. Errors: a command it does not know, no answer in 30 s. */
export function steerEventStoreDb(controlUrl: string): EventStoreDbControl {
  const count = decoder(Type.Integer());
  const state = decoder(STATE);
  const perform = async (command: keyof EventStoreDbControl, options: object = {}) => {
    const response = await fetch(new URL(command, `${controlUrl}/`), {
      method: 'POST',
      body: JSON.stringify(options),
      signal: AbortSignal.timeout(COMMAND_DEADLINE_MS),
    });
    const answered: unknown = await response.json();
    if (!response.ok) throw new Error(`${command}: ${JSON.stringify(answered)}`);
    return answered;
  };
  const tell = async (command: keyof EventStoreDbControl, options?: object): Promise<void> => {
    await perform(command, options);
  };
  return {
    endCalls: async (options) => count(await perform('endCalls', options)),
    dropConnections: async () => count(await perform('dropConnections')),
    delayReplies: (options) => tell('delayReplies', options),
    refuseCalls: (options) => tell('refuseCalls', options),
    loseAppends: (options) => tell('loseAppends', options),
    tellSubscribers: async (options) => count(await perform('tellSubscribers', options)),
    refuseCredentials: (options) => tell('refuseCredentials', options),
    withholdEvents: (options) => tell('withholdEvents', options),
    hang: (options) => tell('hang', options),
    restart: (options) => tell('restart', options),
    state: async () => state(await perform('state')),
    behave: () => tell('behave'),
  };
}
