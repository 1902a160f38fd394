import { DomainError } from '@patchtrail/event-sourcing';

/** Why what an archive served is not taken into force. */
export type FeedRefusalCode =
  | 'unreachable'
  | 'timeout'
  | 'too-large'
  | 'truncated'
  | 'bad-signature'
  | 'unknown-key'
  | 'malformed-release'
  | 'other-suite'
  | 'expired'
  | 'not-yet-valid'
  | 'replayed'
  | 'missing-index'
  | 'hash-mismatch'
  | 'malformed-index'
  | 'malformed-package';

/** The archive is refused; what was in force before stays so. `code` is a FeedRefusalCode. */
export class FeedRefusal extends DomainError {
  constructor(
    override readonly code: FeedRefusalCode,
    override readonly detail: string,
  ) {
    super(code, detail);
    this.name = 'FeedRefusal';
  }
}
