#!/usr/bin/env node
// The guard must speak before anything is loaded that an older Node cannot run.
import '../require-node.js';

const { runCommand } = await import('./run-command.js');
process.exitCode = await runCommand(process.argv.slice(2));
