// The guard must speak before anything is loaded that an older Node cannot run.
import '../require-node.js';

const { runDemo } = await import('./run-demo.js');
await runDemo(process.argv.slice(2));
