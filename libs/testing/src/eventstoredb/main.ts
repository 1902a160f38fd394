import { parseArgs } from 'node:util';
import { startEventStoreDb } from './server.js';

/**
 * Runs a double until SIGINT or SIGTERM. The first line is its connection string as administrator,
 * the second where it is steered.
 */
const { values } = parseArgs({
  options: {
    'server-version': { type: 'string' },
    tls: { type: 'boolean', default: false },
    port: { type: 'string', default: '0' },
    'until-input-ends': { type: 'boolean', default: false },
  },
});
const version = values['server-version'];
const double = await startEventStoreDb({
  ...(version === undefined ? {} : { version }),
  tls: values.tls,
  port: Number(values.port),
});
process.stdout.write(`${double.connectionString}\ncontrol ${double.controlUrl}\n`);

let stopping = false;
function stop(): void {
  if (stopping) return;
  stopping = true;
  process.stdin.destroy();
  void double.stop();
}
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
if (values['until-input-ends']) process.stdin.on('end', stop).on('error', stop).resume();
