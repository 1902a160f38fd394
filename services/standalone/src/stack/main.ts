// The guard must speak before anything is loaded that an older Node cannot run.
import '../require-node.js';

const { runStack } = await import('./run-stack.js');
await runStack();
