import type { parse } from '@bufbuild/cel';
import type { Environment, ValueType } from './environment.js';

export type Parsed = ReturnType<typeof parse>;
type Expr = Parsed['expr'];
type ExprOf<K> = Extract<Expr['exprKind'], { case: K }>['value'];
type Call = ExprOf<'callExpr'>;

/** A refusal with the id of the expression it is about. */
export class CheckFailure extends Error {
  constructor(
    readonly exprId: bigint,
    readonly rule: string,
  ) {
    super(rule);
  }
}

/** A type and the steps that evaluating it takes at most. */
type Checked = { type: ValueType | { literal: string }; cost: number };
type Walk = { parsed: Parsed; variables: Environment };

/** Steps one evaluation may take; lists count with the length they may get. */
const COST_MAX = 100_000;

/**
 * Types an expression of the part of CEL that can neither fail nor run long: literals, declared
 * variables and fields, comparison, logic, `? :`, `in`, `exists`, `all`, `size` and the three
 * searches in text. There is no arithmetic and no index, so nothing overflows or is out of range.
 * @throws CheckFailure
 */
export function check(parsed: Parsed, environment: Environment): void {
  const { type, cost } = typed(parsed.expr, { parsed, variables: environment });
  if (type !== 'flag') fail(parsed.expr, `must be true or false, it is ${nameOf(type)}`);
  if (cost > COST_MAX) {
    fail(parsed.expr, `may take ${String(cost)} steps, at most ${String(COST_MAX)} are allowed`);
  }
}

function fail(expr: Expr, rule: string): never {
  throw new CheckFailure(expr.id, rule);
}

function nameOf(type: Checked['type']): string {
  if (typeof type === 'string') return type;
  if ('literal' in type || 'oneOf' in type) return 'text';
  return 'listOf' in type ? 'a list' : 'an object';
}

const isText = (type: Checked['type']): boolean => nameOf(type) === 'text';

function typed(expr: Expr, walk: Walk): Checked {
  const { exprKind } = expr;
  switch (exprKind.case) {
    case 'constExpr':
      return constant(expr, exprKind.value);
    case 'identExpr':
      return variable(expr, exprKind.value.name, walk);
    case 'selectExpr':
      return field(expr, exprKind.value, walk);
    case 'callExpr':
      return call(expr, exprKind.value, walk);
    case 'comprehensionExpr':
      return quantifier(expr, exprKind.value, walk);
    case 'listExpr':
      return fail(expr, 'a list literal is allowed to the right of `in` only');
    case 'structExpr':
      return fail(expr, 'an object literal is not allowed');
    case undefined:
      return fail(expr, 'is empty');
  }
}

function constant(expr: Expr, { constantKind }: ExprOf<'constExpr'>): Checked {
  if (constantKind.case === 'boolValue') return { type: 'flag', cost: 1 };
  if (constantKind.case === 'int64Value') return { type: 'whole', cost: 1 };
  if (constantKind.case === 'stringValue') {
    return { type: { literal: constantKind.value }, cost: 1 };
  }
  return fail(expr, 'a literal must be text, a whole number, true or false');
}

function variable(expr: Expr, name: string, { variables }: Walk): Checked {
  const type = Object.hasOwn(variables, name) ? variables[name] : undefined;
  return type === undefined ? fail(expr, `unknown variable ${name}`) : { type, cost: 1 };
}

function field(
  expr: Expr,
  { operand, field: name, testOnly }: ExprOf<'selectExpr'>,
  walk: Walk,
): Checked {
  if (testOnly) fail(expr, 'has() is not allowed: every declared field is there');
  if (operand === undefined) return fail(expr, 'is empty');
  const { type, cost } = typed(operand, walk);
  if (typeof type === 'string' || !('fields' in type)) {
    return fail(expr, `${nameOf(type)} has no field ${name}`);
  }
  const selected = Object.hasOwn(type.fields, name) ? type.fields[name] : undefined;
  return selected === undefined
    ? fail(expr, `unknown field ${name}`)
    : { type: selected, cost: cost + 1 };
}

function call(expr: Expr, { function: name, target, args }: Call, walk: Walk): Checked {
  const operands = target === undefined ? args : [target, ...args];
  const rule = target === undefined ? FUNCTIONS.get(name) : METHODS.get(name);
  const shown = /^\w+$/.test(name) ? `${name}()` : name.replaceAll('_', '').replaceAll('@', '');
  if (rule === undefined) return fail(expr, `${shown} is not allowed`);
  if (operands.length !== rule.arity) {
    return fail(expr, `${shown} takes ${String(rule.arity)} operands`);
  }
  return rule.apply(expr, operands, walk);
}

type CallRule = {
  arity: number;
  apply: (expr: Expr, operands: readonly Expr[], walk: Walk) => Checked;
};

const sum = (operands: readonly Checked[]) => operands.reduce((total, { cost }) => total + cost, 1);

/** An operation whose operands all have to satisfy the same test. */
function uniform(
  arity: number,
  accepts: (type: Checked['type']) => boolean,
  wanted: string,
  result: ValueType,
): CallRule {
  return {
    arity,
    apply: (_expr, operands, walk) => {
      const checked = operands.map((operand) => {
        const it = typed(operand, walk);
        return accepts(it.type) ? it : fail(operand, `must be ${wanted}, it is ${nameOf(it.type)}`);
      });
      return { type: result, cost: sum(checked) };
    },
  };
}

const equality: CallRule = {
  arity: 2,
  apply: (expr, operands, walk) => {
    const checked = operands.map((operand) => typed(operand, walk));
    const [left, right] = checked;
    if (left === undefined || right === undefined) return fail(expr, 'takes 2 operands');
    comparable(expr, left.type, right.type);
    return { type: 'flag', cost: sum(checked) };
  },
};

const choice: CallRule = {
  arity: 3,
  apply: (_expr, operands, walk) => {
    const checked = operands.map((operand) => typed(operand, walk));
    const odd = operands.find((_, index) => checked[index]?.type !== 'flag');
    if (odd !== undefined) fail(odd, 'condition and branches of ? : must be true or false');
    return { type: 'flag', cost: sum(checked) };
  },
};

const membership: CallRule = {
  arity: 2,
  apply: (expr, [item, list], walk) => {
    if (item === undefined || list === undefined) return fail(expr, 'takes 2 operands');
    const left = typed(item, walk);
    if (list.exprKind.case === 'listExpr') {
      const elements = list.exprKind.value.elements.map((element) => {
        const it = typed(element, walk);
        comparable(element, left.type, it.type);
        return it;
      });
      return { type: 'flag', cost: sum([left, ...elements]) };
    }
    const right = typed(list, walk);
    if (typeof right.type === 'string' || !('listOf' in right.type)) {
      return fail(list, `must be a list, it is ${nameOf(right.type)}`);
    }
    comparable(expr, left.type, right.type.listOf);
    return { type: 'flag', cost: sum([left, right]) + right.type.max };
  },
};

/** Refuses types that never are equal, and text that a closed set does not hold. */
function comparable(expr: Expr, left: Checked['type'], right: Checked['type']): void {
  const [a, b] = [nameOf(left), nameOf(right)];
  if (a !== b) fail(expr, `${a} never equals ${b}`);
  if (a === 'a list' || a === 'an object') fail(expr, `${a} cannot be compared`);
  outsider(expr, left, right);
  outsider(expr, right, left);
}

function outsider(expr: Expr, set: Checked['type'], value: Checked['type']): void {
  if (typeof set === 'string' || !('oneOf' in set)) return;
  if (typeof value === 'string' || !('literal' in value)) return;
  if (!set.oneOf.includes(value.literal)) {
    fail(expr, `"${value.literal}" is not one of ${set.oneOf.join(', ')}`);
  }
}

const flags = (arity: number) => uniform(arity, (type) => type === 'flag', 'true or false', 'flag');
const order = uniform(2, (type) => type === 'whole', 'a whole number', 'flag');
const search = uniform(2, isText, 'text', 'flag');
const sizeable = (type: Checked['type']) => ['text', 'a list'].includes(nameOf(type));
const size = uniform(1, sizeable, 'text or a list', 'whole');

const FUNCTIONS: ReadonlyMap<string, CallRule> = new Map([
  ['_&&_', flags(2)],
  ['_||_', flags(2)],
  ['!_', flags(1)],
  ['_==_', equality],
  ['_!=_', equality],
  ['_<_', order],
  ['_<=_', order],
  ['_>_', order],
  ['_>=_', order],
  ['_?_:_', choice],
  ['@in', membership],
  ['size', size],
]);
const METHODS: ReadonlyMap<string, CallRule> = new Map([
  ['startsWith', search],
  ['endsWith', search],
  ['contains', search],
  ['size', size],
]);

/** `list.exists(name, condition)` or `list.all(name, condition)`; the parser has expanded them. */
function quantifier(expr: Expr, value: ExprOf<'comprehensionExpr'>, walk: Walk): Checked {
  const { iterRange, iterVar, loopStep } = value;
  const macro = walk.parsed.sourceInfo?.macroCalls[expr.id.toString()]?.exprKind;
  const name = macro?.case === 'callExpr' ? macro.value.function : '';
  if (name !== 'exists' && name !== 'all') return fail(expr, `${name}() is not allowed`);
  if (Object.hasOwn(walk.variables, iterVar)) fail(expr, `${iterVar} is declared already`);
  const range = rangeOf(expr, iterRange, walk);
  const variables = { ...walk.variables, [iterVar]: range.item };
  const body = bodyCost(expr, loopStep, { ...walk, variables });
  return { type: 'flag', cost: range.cost + range.max * (body + 1) };
}

function rangeOf(expr: Expr, range: Expr | undefined, walk: Walk) {
  if (range === undefined) return fail(expr, 'is empty');
  const { type, cost } = typed(range, walk);
  if (typeof type === 'string' || !('listOf' in type)) {
    return fail(range, `must be a list, it is ${nameOf(type)}`);
  }
  return { item: type.listOf, max: type.max, cost };
}

/** A loop step is `accumulator && condition` or `accumulator || condition`. */
function bodyCost(expr: Expr, step: Expr | undefined, walk: Walk): number {
  const condition = step?.exprKind.case === 'callExpr' ? step.exprKind.value.args[1] : undefined;
  if (condition === undefined) return fail(expr, 'is empty');
  const { type, cost } = typed(condition, walk);
  if (type === 'flag') return cost;
  return fail(condition, `must be true or false, it is ${nameOf(type)}`);
}
