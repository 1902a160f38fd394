// The guard must speak before anything is loaded that an older Node cannot run.
import '../require-node.js';

const { runSetUp } = await import('./run-set-up.js');
await runSetUp();
