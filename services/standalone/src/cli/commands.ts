import type { Command } from './command.js';
import { messagesParked, messagesReplay } from './messages.js';
import { projectionsRebuild } from './projections-rebuild.js';
import { start } from './start.js';

/** Every command there is, in the order that help lists them. */
export const commands: readonly Command[] = [
  start,
  projectionsRebuild,
  messagesParked,
  messagesReplay,
];
