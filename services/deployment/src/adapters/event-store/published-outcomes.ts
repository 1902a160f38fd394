import type { PackageVersion } from '@patchtrail/contracts';
import type { InstallOutcome, RollbackOutcome } from '../../domain/wave-part-messages.js';
import type { RecordedOutcome, WavePartEvent } from '../../domain/wave-part-messages.js';

export type PublishedOutcome = Readonly<{
  attemptId: string | null;
  endpointId: string;
  outcome: InstallOutcome | RollbackOutcome;
  class: string;
  detail: string;
  versions: readonly PackageVersion[];
  deviceTime: string | null;
  late: boolean;
}>;

/** The end states and late reports in an event of a part; an attempt that is retried is neither. */
export function outcomesOf(event: WavePartEvent): readonly PublishedOutcome[] {
  if (event.type === 'OutcomesRecorded' || event.type === 'RollbacksRecorded') {
    return event.data.outcomes.filter(({ disposition }) => disposition !== 'retry').map(reported);
  }
  if (event.type === 'LeasesExpired') {
    const { kind, detail } = event.data;
    const outcome = kind === 'install' ? 'timed-out' : 'rollback-failed';
    const said = { outcome, class: 'silence', detail } as const;
    return event.data.expired.map((one) => ({ ...one, ...said, ...UNREPORTED }));
  }
  if (event.type !== 'PartHalted') return [];
  return event.data.stopped.map((one) => ({ ...one, ...UNREPORTED }));
}

const UNREPORTED = { versions: [], deviceTime: null, late: false };

function reported(one: RecordedOutcome): PublishedOutcome {
  const { attemptId, endpointId, outcome, detail, versions, deviceTime, disposition } = one;
  return {
    ...{ attemptId, endpointId, outcome, class: one.class, detail, versions, deviceTime },
    late: disposition === 'late',
  };
}
