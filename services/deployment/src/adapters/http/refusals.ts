import { refusingAbsent } from '@patchtrail/platform';

export const refusing = refusingAbsent(['unknown-rollout', 'unknown-endpoint']);
