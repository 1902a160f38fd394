import type { FastifyInstance } from 'fastify';
import type { ReadyReport } from '../service.js';

/** What says whether it is ready, by the name that it has where it cannot say. */
export type Readiness = Readonly<Record<string, () => Promise<ReadyReport>>>;

const READY_DEADLINE_MS = 5_000;

/** Live says that the process answers and asks nobody; ready asks every service. */
export function serveHealth(
  server: FastifyInstance,
  readiness: Readiness,
  deadlineMs = READY_DEADLINE_MS,
): void {
  server.get('/health/live', () => ({ ok: true }));
  server.get('/health/ready', async (_request, reply) => {
    const reports = Object.entries(readiness).map(([service, ready]) =>
      reportOf(service, ready, deadlineMs),
    );
    const services = await Promise.all(reports);
    const ok = services.every((report) => report.ok);
    void reply.status(ok ? 200 : 503);
    return { ok, services };
  });
}

async function reportOf(
  service: string,
  ready: () => Promise<ReadyReport>,
  deadlineMs: number,
): Promise<ReadyReport> {
  const failed = (detail: string): ReadyReport => ({
    service,
    ok: false,
    checks: [{ name: 'ready', ok: false, detail }],
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<ReadyReport>((resolve) => {
    timer = setTimeout(() => {
      resolve(failed(`no answer within ${String(deadlineMs)} ms`));
    }, deadlineMs);
  });
  try {
    return await Promise.race([ready(), late]);
  } catch {
    return failed('the check itself failed');
  } finally {
    clearTimeout(timer);
  }
}
