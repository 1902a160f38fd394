export { type DataOf, type Environment, UndeclaredData, type ValueType } from './environment.js';
export { compileRule, EXPRESSION_LENGTH_MAX, InvalidExpression, type Rule } from './rule.js';
