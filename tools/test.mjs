/**
 * Every spec that this host can run. What it cannot run is named at the end with the reason;
 * with CI=true a lane that cannot run is a failure.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    `The tests need Node 24, this is ${process.versions.node}: run them with npm test.`,
  );
  process.exit(1);
}

const root = join(import.meta.dirname, '..');
const child = spawn(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    join(root, 'node_modules/jest/bin/jest.js'),
    '--maxWorkers=2',
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: 'inherit', env: process.env },
);
child.once('exit', (code) => {
  process.exitCode = code ?? 1;
});
