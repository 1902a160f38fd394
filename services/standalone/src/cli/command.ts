import { parseArgs, type ParseArgsConfig } from 'node:util';

export type Command = Readonly<{
  /** The words that call it: `projections rebuild`. */
  name: string;
  /** What follows the name; empty where nothing does. */
  usage: string;
  /** One line for the list of commands. */
  summary: string;
  /** What comes after the usage in its own help; empty where that says all. */
  details: string;
  /** Resolves with the exit status. @throws UsageError; any other error is a failure */
  run: (args: readonly string[]) => Promise<number>;
}>;

export const SUCCEEDED = 0;
export const FAILED = 1;
export const CALLED_WRONGLY = 2;

/** The call itself is wrong: argument and rule are in the message. */
export class UsageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UsageError';
  }
}

/** As `parseArgs` of Node, strict. @throws UsageError */
export function parsed<O extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: O,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
