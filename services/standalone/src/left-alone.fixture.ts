import { spawn } from 'node:child_process';
import { untilParentEnds } from './until-parent-ends.js';

/** With `parent` starts itself once more and waits; else waits for the end of what has started it. */
const [role, ...args] = process.argv.slice(2);
setInterval(() => undefined, 60_000);
if (role === 'parent') {
  const self = [...process.execArgv, import.meta.filename, 'child', ...args];
  spawn(process.execPath, self, { stdio: 'inherit' });
} else {
  const end = untilParentEnds(args);
  process.stdout.write('waiting\n');
  process.stdout.write(`${await end}\n`);
  process.exit();
}
