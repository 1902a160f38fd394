import { type CommandContext, handle } from '@patchtrail/event-store';
import { parsePartStream } from './names.js';
import type { Streams } from './ports.js';

export type DueTimer = Readonly<{ timerId: string; stream: string; generation: number }>;

/** Tells the stream that scheduled a timer; the stream ignores one that no longer matters. */
export async function elapseTimer(
  streams: Streams,
  { timerId, stream, generation }: DueTimer,
  context: CommandContext,
): Promise<void> {
  const command = { type: 'ElapseTimer', data: { timerId, generation } } as const;
  if (parsePartStream(stream) === null) await handle(streams.rollouts, stream, command, context);
  else await handle(streams.parts, stream, command, context);
}
