import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Static, Type } from '@sinclair/typebox';
import { decodeJson, Id, OutcomeSchema } from './adapters/decoding/schemas.js';

export const TOKEN = 'pten_0123456789abcdefghij';

const AnyObject = Type.Record(Type.String(), Type.Unknown());
const BusySchema = Type.Object({ busyWith: Type.Union([Id, Type.Null()]) });
const EpochSchema = Type.Object({ epoch: Type.Integer() });
const ReportSchema = Type.Intersect([EpochSchema, OutcomeSchema]);

export type Report = Readonly<{ attemptId: string }> & Static<typeof ReportSchema>;
type Answer = Readonly<{ status: number; body?: unknown }>;
type Route = readonly [RegExp, (match: RegExpExecArray, body: string) => Answer];

function newRecord() {
  return {
    enrolments: [] as { key: unknown; body: Static<typeof AnyObject> }[],
    inventories: [] as Static<typeof AnyObject>[],
    leaseRequests: [] as (string | null)[],
    confirmations: [] as string[],
    reports: [] as Report[],
    authorizations: new Set<string | undefined>(),
  };
}

function newControl() {
  return {
    /** Handed out on every request until a report is acknowledged. */
    offer: null as unknown,
    /** Says no to confirmations. */
    recalled: false,
    /** How many reports are recorded but left without an answer. */
    lostAnswers: 0,
    reportStatus: 200,
    enrolStatus: 201,
    unavailable: false,
  };
}

type Record = ReturnType<typeof newRecord>;
type Control = ReturnType<typeof newControl>;

function routesOf(seen: Record, control: Control, endpointId: string): readonly Route[] {
  return [
    [
      /^POST \/v1\/endpoints:enrol$/,
      () => ({ status: control.enrolStatus, body: { endpointId, code: 'said-so' } }),
    ],
    [
      /^PUT \/v1\/endpoints\/[^/]+\/inventory$/,
      (_, body) => {
        const report = decodeJson('inventory', AnyObject, body);
        seen.inventories.push(report);
        return { status: 200, body: { sequence: report['sequence'], changed: true } };
      },
    ],
    [
      /^PUT \/v1\/agents\/[^/]+\/lease$/,
      (_, body) => {
        seen.leaseRequests.push(decodeJson('lease request', BusySchema, body).busyWith);
        return control.offer === null ? { status: 204 } : { status: 200, body: control.offer };
      },
    ],
    [
      /^PUT \/v1\/leases\/([^/]+)\/confirmation$/,
      ([, attemptId = ''], body) => {
        decodeJson('confirmation', EpochSchema, body);
        seen.confirmations.push(attemptId);
        if (!control.recalled) return { status: 200, body: {} };
        return { status: 409, body: { code: 'old-epoch', detail: 'epoch: 1 is below 2' } };
      },
    ],
    [
      /^PUT \/v1\/leases\/([^/]+)\/outcome$/,
      ([, attemptId = ''], body) => {
        seen.reports.push({ attemptId, ...decodeJson('outcome', ReportSchema, body) });
        if (control.reportStatus === 200) control.offer = null;
        return { status: control.reportStatus, body: { code: 'said-so', detail: 'by the test' } };
      },
    ],
  ];
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += String(chunk);
  return text;
}

function noteHead(seen: Record, request: IncomingMessage, body: string): void {
  if (request.method !== 'POST') {
    seen.authorizations.add(request.headers.authorization);
    return;
  }
  const key = request.headers['idempotency-key'];
  seen.enrolments.push({ key, body: decodeJson('enrolment', AnyObject, body) });
}

/** The routes that agents use, on a real port, with what a test wants to see and to break. */
export async function startPatchtrailServer() {
  const endpointId = randomUUID();
  const seen = newRecord();
  const control = newControl();
  const routes = routesOf(seen, control, endpointId);
  const answer = (request: IncomingMessage, body: string): Answer => {
    if (control.unavailable) return { status: 503 };
    noteHead(seen, request, body);
    const line = `${String(request.method)} ${String(request.url)}`;
    for (const [pattern, act] of routes) {
      const match = pattern.exec(line);
      if (match !== null) return act(match, body);
    }
    return { status: 404, body: { code: 'no-route', detail: line } };
  };
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const { status, body } = answer(request, await bodyOf(request));
    if (String(request.url).endsWith('/outcome') && control.lostAnswers > 0) {
      control.lostAnswers -= 1;
      request.socket.destroy();
      return;
    }
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(body === undefined ? '' : JSON.stringify(body));
  };
  const server = createServer((request, response) => {
    respond(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const close = () =>
    new Promise<void>((resolve) => {
      server.closeAllConnections();
      server.close(() => {
        resolve();
      });
    });
  return { url: `http://127.0.0.1:${address.port}`, endpointId, seen, control, close };
}
export type PatchtrailServer = Awaited<ReturnType<typeof startPatchtrailServer>>;
