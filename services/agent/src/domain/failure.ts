export const FAILURE_CLASSES = [
  'lock-timeout',
  'network',
  'version-not-found',
  'held',
  'maintainer-script',
  'dependency',
  'disk-full',
  'interrupted',
  'recalled',
  'timeout',
  'untrusted',
  'plan-refused',
  'not-applicable',
  'no-rollback-artifact',
  'no-saved-transaction',
  'artifact-mismatch',
  'dpkg-broken',
  'verification',
  'probe-failed',
  'unknown',
] as const;
export type FailureClass = (typeof FAILURE_CLASSES)[number];

/** Why an attempt failed; a transient failure may go away when the attempt is repeated. */
export type Failure = Readonly<{ class: FailureClass; transient: boolean; detail: string }>;

/** Thrown by an executor for a failure it can name; nothing was changed when it comes from planning. */
export class ExecutionFailure extends Error {
  constructor(readonly failure: Failure) {
    super(`${failure.class}: ${failure.detail}`);
    this.name = 'ExecutionFailure';
  }
}

export function permanent(failureClass: FailureClass, detail: string): ExecutionFailure {
  return new ExecutionFailure({ class: failureClass, transient: false, detail });
}
