import { expect, it } from '@jest/globals';
import Fastify from 'fastify';
import { type ReadyReport, readyReport } from '../service.js';
import { serveHealth } from './health.js';

async function healthOf(ready: () => Promise<ReadyReport>) {
  const server = Fastify();
  const well = () => Promise.resolve(readyReport('approval', []));
  serveHealth(server, { approval: well, deployment: ready }, 20);
  const { statusCode, body } = await server.inject('/health/ready');
  const answer: unknown = JSON.parse(body);
  return { statusCode, answer };
}

const unready = (detail: string) => ({
  statusCode: 503,
  answer: {
    ok: false,
    services: [
      { service: 'approval', ok: true, checks: [] },
      { service: 'deployment', ok: false, checks: [{ name: 'ready', ok: false, detail }] },
    ],
  },
});

it('names the service whose check fails', async () => {
  const failed = await healthOf(() => Promise.reject(new Error('postgres://user:secret@host')));
  expect(failed).toEqual(unready('the check itself failed'));
});

it('names the service that does not answer in time', async () => {
  const late = await healthOf(() => new Promise(() => undefined));
  expect(late).toEqual(unready('no answer within 20 ms'));
});
