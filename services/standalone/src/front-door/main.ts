// The guard must speak before anything is loaded that an older Node cannot run.
import '../require-node.js';

const { runFrontDoor } = await import('./run-front-door.js');
await runFrontDoor();
