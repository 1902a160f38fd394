import { Count } from '@patchtrail/contracts';
import { Type } from '@sinclair/typebox';

/** The timer fact that both kinds of stream record. */
export const TimerData = Type.Object({
  timerId: Type.String(),
  dueAt: Type.String(),
  purpose: Type.String(),
  generation: Count,
});
