import type { FastifyInstance } from 'fastify';
import type { ReadyReport } from '../service.js';

export type Readiness = () => Promise<ReadyReport>;

const READY_DEADLINE_MS = 5_000;

/** Live says that the process answers and asks nobody; ready asks every service. */
export function serveHealth(server: FastifyInstance, readiness: readonly Readiness[]): void {
  server.get('/health/live', () => ({ ok: true }));
  server.get('/health/ready', async (_request, reply) => {
    const services = await Promise.all(readiness.map(reportOf));
    const ok = services.every((report) => report.ok);
    void reply.status(ok ? 200 : 503);
    return { ok, services };
  });
}

async function reportOf(ready: Readiness): Promise<ReadyReport> {
  const failed = (detail: string): ReadyReport => ({
    service: 'unknown',
    ok: false,
    checks: [{ name: 'ready', ok: false, detail }],
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<ReadyReport>((resolve) => {
    timer = setTimeout(() => {
      resolve(failed(`no answer within ${String(READY_DEADLINE_MS)} ms`));
    }, READY_DEADLINE_MS);
  });
  try {
    return await Promise.race([ready(), late]);
  } catch {
    return failed('the check itself failed');
  } finally {
    clearTimeout(timer);
  }
}
