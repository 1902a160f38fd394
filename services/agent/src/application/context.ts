import type { Executor } from './executor.js';
import type { Journal } from './journal.js';
import type { Server } from './server.js';

/** One JSON-able line; never a secret. */
export type Log = (event: string, fields?: Readonly<Record<string, unknown>>) => void;

/** What the use cases of an enrolled agent work with. */
export type AgentContext = Readonly<{
  endpointId: string;
  executor: Executor;
  journal: Journal;
  server: Server;
  log: Log;
  now: () => Date;
  /** Aborted when the agent shall end after its current step. */
  signal: AbortSignal;
  /** Resolves after the time, or at once when the signal is aborted. */
  pause: (ms: number) => Promise<void>;
}>;
