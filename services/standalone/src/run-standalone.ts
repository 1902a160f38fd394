import { createLogger, untilSignal } from '@patchtrail/platform';
import { standaloneConfig } from './config.js';
import { startStandalone } from './standalone.js';

/** Starts, says where, and stops on SIGINT or SIGTERM. */
export async function runStandalone(): Promise<void> {
  const log = createLogger('patchtrail');
  try {
    const running = await startStandalone(standaloneConfig(), log);
    const docs = `${running.url}/openapi/{discovery,prioritization,approval,deployment,reporting}.json`;
    process.stdout.write(
      `Patchtrail is ready at ${running.url} (PostgreSQL: ${running.postgres})\n  API documents: ${docs}\n  Health: ${running.url}/health/ready\n`,
    );
    if (running.metricsUrl !== null) process.stdout.write(`  Metrics: ${running.metricsUrl}\n`);
    const signal = await untilSignal();
    log.info({ signal }, 'Stopping.');
    await running.stop().catch((error: unknown) => {
      log.error({ err: error }, 'Not everything could be stopped.');
      process.exitCode = 1;
    });
  } catch (error) {
    process.stderr.write(
      `Patchtrail cannot start: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    process.exitCode = 1;
  }
}
