import { startEventStoreDb } from './server.js';

/** Runs a double until it is told to stop; the first line is its connection string. */
const double = await startEventStoreDb();
process.stdout.write(`${double.connectionString}\ncontrol ${double.controlUrl}\n`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void double.stop();
  });
}
