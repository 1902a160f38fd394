export { logToStderr, runAgent } from './agent.js';
export type { Log } from './application/context.js';
export { type AgentOptions, parseOptions, type Target } from './config.js';
export { ConfigError } from './config-error.js';
export { entriesOf, type HistoryEntry } from './domain/history-log.js';
