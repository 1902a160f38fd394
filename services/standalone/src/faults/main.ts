// The guard must speak before anything is loaded that an older Node cannot run.
import '../require-node.js';

const { main } = await import('./report.js');
await main();
