import type streams from '@eventstore/db-client/generated/streams_pb.js';
import type { Recorded } from './log.js';

export type Filter = {
  readonly matches: (event: Recorded) => boolean;
  /** Events looked at per page. */
  readonly window: number;
  /** Events looked at, matching or not, until a checkpoint is due. */
  readonly checkpointEvery: number;
};

/** How many events a server reads at a time, and lets a live subscription fall behind. */
export const BATCH_SIZE = 32;

/**
 * Null where the request is not valid. The rules are those of
 * https://github.com/EventStore/EventStore/blob/oss-v24.6.0/src/EventStore.Core/Services/Storage/ReaderIndex/EventFilter.cs
 */
export function filterOf(options: streams.ReadReq.Options.FilterOptions): Filter | null {
  const byStream = options.getStreamIdentifier();
  const expression = byStream ?? options.getEventType();
  if (expression === undefined || options.getCheckpointintervalmultiplier() === 0) return null;
  const regex = expression.getRegex();
  const test = regex === '' ? startsWithAny(expression.getPrefixList()) : testOf(regex);
  if (test === null) return null;
  const window = options.hasMax() ? options.getMax() : BATCH_SIZE;
  return {
    matches: (event) => test(byStream === undefined ? event.type : event.stream),
    window,
    checkpointEvery: window * options.getCheckpointintervalmultiplier(),
  };
}

function startsWithAny(prefixes: readonly string[]): (text: string) => boolean {
  return (text) => prefixes.some((prefix) => text.startsWith(prefix));
}

function testOf(regex: string): ((text: string) => boolean) | null {
  try {
    const compiled = new RegExp(regex);
    return (text) => compiled.test(text);
  } catch {
    return null;
  }
}
