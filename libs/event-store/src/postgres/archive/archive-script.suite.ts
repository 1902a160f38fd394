import { isPosition } from '../../position.js';
import { archiveEvents } from './archive-events.js';

/** A process that archives what lies before a position, until it is killed. */
const [, , ownerUrl = '', before = '', directory = ''] = process.argv;
if (!isPosition(before)) throw new Error('before: must be a position');
await archiveEvents({ ownerUrl, before, directory });
