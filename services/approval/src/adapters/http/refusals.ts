import { refusingAbsent } from '@patchtrail/platform';

export const refusing = refusingAbsent(['not-requested', 'not-defined', 'not-proposed']);
