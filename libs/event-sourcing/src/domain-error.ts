/**
 * A refusal of the domain: the command was understood and must not be done.
 * `code` is a kebab-case literal (`self-approval`); `detail` names the field and the rule for a person.
 */
export class DomainError extends Error {
  constructor(
    readonly code: string,
    readonly detail?: string,
  ) {
    super(detail === undefined ? code : `${code}: ${detail}`);
    this.name = 'DomainError';
  }
}
