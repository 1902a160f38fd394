// The guard must speak before anything is loaded that an older Node cannot run.
import './require-node.js';

const { runStandalone } = await import('./run-standalone.js');
await runStandalone();
