/** An option that cannot be used; names the option and the rule. */
export class ConfigError extends Error {
  constructor(
    readonly option: string,
    readonly rule: string,
  ) {
    super(`${option}: ${rule}`);
    this.name = 'ConfigError';
  }
}
