export { COST_MAX } from './check.js';
export {
  type DataOf,
  type Environment,
  TEXT_LENGTH_MAX,
  UndeclaredData,
  type ValueType,
} from './environment.js';
export { compileRule, EXPRESSION_LENGTH_MAX, InvalidExpression, type Rule } from './rule.js';
