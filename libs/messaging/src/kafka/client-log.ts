import { type LogEntry, logLevel, type logCreator as LogCreator } from 'kafkajs';
import type { Log } from '../log.js';

/** The same line again comes at most this often. */
const QUIET_MS = 10_000;
const LINES_MAX = 100;

const NOISE =
  /^(Response |The group is rebalancing|Limiting retries|Connection error: this client is closed)/;

/**
 * The client's warnings and errors as warnings of ours: what matters is thrown as well, and is
 * logged by its level where it is caught. Nothing is written to the console.
 */
export function logCreator(log: Log | undefined): LogCreator {
  const last = new Map<string, number>();
  return () => (entry) => {
    if (log === undefined || isNoise(entry)) return;
    const { namespace } = entry;
    const { message, error, broker, groupId, retryCount }: Readonly<Record<string, unknown>> =
      entry.log;
    const line = `${namespace}: ${String(message)}`;
    const now = performance.now();
    if (now - (last.get(line) ?? -Infinity) < QUIET_MS) return;
    if (last.size >= LINES_MAX) last.clear();
    last.set(line, now);
    log.warn({ client: 'kafkajs', namespace, error, broker, groupId, retryCount }, line);
  };
}

/**
 * An answer that is an error is always thrown too, and most of them are ordinary: a coordinator
 * that is loading, a member that needs an id, a topic that exists. So is a rebalance, and what a
 * client that was closed still tries.
 */
function isNoise({ level, log }: LogEntry): boolean {
  if (level > logLevel.WARN) return true;
  return NOISE.test(log.message);
}
