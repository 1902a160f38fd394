import { celEnv, isCelError, parse, plan } from '@bufbuild/cel';
import { check, CheckFailure, type Parsed } from './check.js';
import { bind, type DataOf, type Environment } from './environment.js';

export const EXPRESSION_LENGTH_MAX = 2_000;

/** An expression that was refused when it was compiled, with the place where it goes wrong. */
export class InvalidExpression extends Error {
  constructor(
    readonly rule: string,
    /** From 1. */
    readonly line: number,
    /** From 1. */
    readonly column: number,
  ) {
    super(`line ${String(line)}, column ${String(column)}: ${rule}`);
    this.name = 'InvalidExpression';
  }
}

export type Rule<E extends Environment> = Readonly<{
  expression: string;
  /** Never fails for data that the environment declares. @throws UndeclaredData for other data. */
  matches: (data: DataOf<E>) => boolean;
}>;

/**
 * A condition in CEL over the environment's variables, checked before it is ever evaluated:
 * at most 2,000 characters, every name declared, every operand of the right type, the result true
 * or false, and the steps of one evaluation bounded.
 * @throws InvalidExpression
 */
export function compileRule<const E extends Environment>(
  expression: string,
  environment: E,
): Rule<E> {
  if (expression.length > EXPRESSION_LENGTH_MAX) {
    const rule = `must have at most ${String(EXPRESSION_LENGTH_MAX)} characters`;
    throw new InvalidExpression(rule, 1, EXPRESSION_LENGTH_MAX + 1);
  }
  const parsed = parsedFrom(expression);
  try {
    check(parsed, environment);
  } catch (error) {
    if (!(error instanceof CheckFailure)) throw error;
    const offset = parsed.sourceInfo?.positions[error.exprId.toString()] ?? 0;
    throw refusal(expression, error.rule, offset);
  }
  const evaluate = plan(celEnv(), parsed);
  return {
    expression,
    matches: (data) => {
      const result = evaluate(bind(environment, data));
      if (typeof result === 'boolean') return result;
      const cause = isCelError(result) ? result.message : typeof result;
      throw new Error(`A checked expression gave no result: ${cause}`);
    },
  };
}

function parsedFrom(expression: string): Parsed {
  try {
    return parse(expression);
  } catch (error) {
    const message = error instanceof Error ? error.message : 'cannot be read';
    throw refusal(expression, shortened(message), offsetOf(error));
  }
}

/** The parser names every token that could have come; who reads it needs what was found. */
function shortened(message: string): string {
  const found = /found (.*) but expecting/s.exec(message)?.[1];
  return found === undefined ? message.slice(0, 200) : `syntax error: unexpected ${found}`;
}

function offsetOf(error: unknown): number {
  const offset = property(property(property(error, 'location'), 'start'), 'offset');
  return typeof offset === 'number' ? offset : 0;
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function refusal(expression: string, rule: string, offset: number): InvalidExpression {
  const before = expression.slice(0, offset).split('\n');
  return new InvalidExpression(rule, before.length, (before.at(-1)?.length ?? 0) + 1);
}
