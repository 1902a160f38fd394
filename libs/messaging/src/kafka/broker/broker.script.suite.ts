import { stdin, stdout } from 'node:process';
import { missingForKafka } from './artifacts.js';
import { startKafka } from './start-kafka.js';

/** Starts a broker, or says what is missing for one; stops it when told to. */
const missing = await missingForKafka();
if (missing !== null) {
  stdout.write(`missing: ${missing}\n`);
  await startKafka().catch((error: unknown) => stdout.write(`${String(error)}\n`));
} else {
  const kafka = await startKafka({
    log: {
      info: ({ dir }) => stdout.write(`dir ${String(dir)}\n`),
      warn: () => undefined,
      error: () => undefined,
    },
  });
  stdout.write(`serving ${kafka.brokers.join(',')}\n`);
  stdin.once('data', () => {
    stdin.destroy();
    void kafka.stop();
  });
}
