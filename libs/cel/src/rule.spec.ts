import assert from 'node:assert/strict';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  compileRule,
  type DataOf,
  type Environment,
  EXPRESSION_LENGTH_MAX,
  InvalidExpression,
  UndeclaredData,
} from './index.js';

const environment = {
  request: {
    fields: {
      category: { oneOf: ['critical-security', 'important', 'feature', 'optional'] },
      title: 'text',
      urgent: 'flag',
    },
  },
  scope: {
    fields: { exposures: { listOf: 'text', max: 3 }, endpointCount: 'whole' },
  },
  owners: { listOf: { fields: { name: 'text', ranks: { listOf: 'whole', max: 100 } } }, max: 100 },
} as const satisfies Environment;

const data: DataOf<typeof environment> = {
  request: { category: 'important', title: 'bash 5.2', urgent: true },
  scope: { exposures: ['public', 'none'], endpointCount: 12 },
  owners: [{ name: 'ana', ranks: [1, 2] }],
};

const refusedFor = (expression: string): InvalidExpression => {
  try {
    compileRule(expression, environment);
  } catch (error) {
    assert.ok(error instanceof InvalidExpression, String(error));
    return error;
  }
  return assert.fail(`${expression} was accepted`);
};

describe('a compiled rule', () => {
  it.each([
    ['true', true],
    ["request.category == 'important'", true],
    ["request.category in ['feature', 'optional']", false],
    ["scope.exposures.exists(e, e == 'public') || request.category == 'critical-security'", true],
    ["scope.exposures.all(e, e == 'public')", false],
    ["'public' in scope.exposures && !('controlled' in scope.exposures)", true],
    ['scope.endpointCount > 10 && scope.endpointCount <= 12', true],
    ['scope.endpointCount == -12', false],
    ['size(scope.exposures) == 2 && request.title.size() != 2', true],
    ["request.title.startsWith('bash') && request.title.endsWith('.2')", true],
    ["request.title.contains('zsh')", false],
    ['request.urgent ? scope.endpointCount < 5 : true', false],
    ['owners.exists(o, o.ranks.all(r, r < 3))', true],
    ['owners.exists(o, o.ranks.all(r, r < 2))', false],
  ])('%s is %s', (expression, expected) => {
    expect(compileRule(expression, environment).matches(data)).toBe(expected);
  });

  it('reads empty lists as nobody, and everybody', () => {
    const empty = { ...data, scope: { exposures: [], endpointCount: 0 } };
    const matches = (expression: string) => compileRule(expression, environment).matches(empty);
    expect(matches("scope.exposures.exists(e, e == 'public')")).toBe(false);
    expect(matches("scope.exposures.all(e, e == 'public')")).toBe(true);
  });

  it('never fails on declared data', () => {
    const rule = compileRule(
      "scope.exposures.exists(e, e.contains(request.title) || e == 'x') == request.urgent" +
        ' ? owners.all(o, o.ranks.exists(r, r >= scope.endpointCount)) : size(request.title) > 2',
      environment,
    );
    const record = fc.record({
      request: fc.record({
        category: fc.constantFrom('critical-security', 'important', 'feature', 'optional'),
        title: fc.string({ unit: 'binary', maxLength: 40 }),
        urgent: fc.boolean(),
      }),
      scope: fc.record({
        exposures: fc.array(fc.string(), { maxLength: 3 }),
        endpointCount: fc.maxSafeInteger(),
      }),
      owners: fc.array(
        fc.record({ name: fc.string(), ranks: fc.array(fc.maxSafeInteger(), { maxLength: 5 }) }),
        { maxLength: 5 },
      ),
    });
    fc.assert(fc.property(record, (values) => typeof rule.matches(values) === 'boolean'));
  });
});

describe('an expression is refused when compiled', () => {
  it.each([
    ['user.name == "x"', 1, 'unknown variable user'],
    ['constructor == true', 1, 'unknown variable constructor'],
    ['request.categorie == "x"', 8, 'unknown field categorie'],
    ['request.__proto__ == true', 8, 'unknown field __proto__'],
    ['scope.exposures.first == "x"', 16, 'a list has no field first'],
    ['request.title.length > 1', 14, 'text has no field length'],
    ["request.category == 'critcal-security'", 18, '"critcal-security" is not one of critical-'],
    ["request.category in ['feature', 'optinal']", 33, '"optinal" is not one of'],
    ['scope.endpointCount', 6, 'must be true or false, it is whole'],
    ["request.title == 'a' ? 'x' : 'y'", 24, 'branches of ? : must be true or false'],
    ['scope.endpointCount == "3"', 21, 'whole never equals text'],
    ['request.title < "b"', 8, 'must be a whole number, it is text'],
    ['scope.exposures == scope.exposures', 17, 'a list cannot be compared'],
    ['request == scope', 8, 'an object cannot be compared'],
    ['request.urgent && scope.endpointCount', 24, 'must be true or false, it is whole'],
    ['!request.title', 9, 'must be true or false, it is text'],
    ['"x" in request.title', 15, 'must be a list, it is text'],
    ['request.title.exists(e, e == "x")', 8, 'must be a list, it is text'],
    ['scope.exposures.exists(scope, true)', 16, 'scope is declared already'],
    ['scope.exposures.exists(e, f == "x")', 27, 'unknown variable f'],
    ['scope.exposures.exists(e, e)', 27, 'must be true or false, it is text'],
    ['scope.exposures.exists(e, true) && e == "x"', 36, 'unknown variable e'],
    ['size(scope.endpointCount) > 1', 11, 'must be text or a list, it is whole'],
    ['size(request.title, 1) > 1', 1, 'size() takes 1 operands'],
  ])('%s at column %i: %s', (expression, column, rule) => {
    const refusal = refusedFor(expression);
    expect([refusal.column, refusal.rule]).toEqual([column, expect.stringContaining(rule)]);
  });

  it.each([
    'has(request.title)',
    'scope.endpointCount + 1 > 2',
    'scope.endpointCount / 0 == 1',
    '-scope.endpointCount < 0',
    'scope.exposures[0] == "x"',
    'scope.exposures.filter(e, true).size() > 1',
    'scope.exposures.map(e, e) == []',
    'scope.exposures.exists_one(e, true)',
    'size([1, 2]) == 2',
    'request == {"title": "x"}',
    'Secret{key: 1} == Secret{key: 1}',
    'request.title.matches("(a+)+$")',
    'matches(request.title, "(a+)+$")',
    'timestamp("2026-01-01T00:00:00Z") < timestamp(request.title)',
    'dyn(request) == 1',
    'scope.endpointCount == 1.5',
    'scope.endpointCount == 1u',
    'request.title == null',
    'request.title == b"x"',
    'request.title.toString() == "x"',
    'request.title.contains("x", "y")',
  ])('%s is outside the language of rules', (expression) => {
    expect(refusedFor(expression).rule).toMatch(/not allowed|takes|must be|only/);
  });

  it('says where the syntax goes wrong', () => {
    expect(refusedFor('request.urgent\n  @ false')).toMatchObject({
      line: 2,
      column: 3,
      rule: 'syntax error: unexpected @',
    });
    expect(refusedFor('')).toMatchObject({ line: 1, column: 1 });
    expect(refusedFor("request.title == 'x").rule).toMatch(/syntax error/);
  });
});

describe('a hostile expression', () => {
  const fits = (part: string, times: number) =>
    part.repeat(times).slice(0, EXPRESSION_LENGTH_MAX - 10);

  it('may not be longer than the limit', () => {
    const padded = (length: number) => 'true'.padEnd(length);
    expect(compileRule(padded(EXPRESSION_LENGTH_MAX), environment).matches(data)).toBe(true);
    expect(refusedFor(padded(EXPRESSION_LENGTH_MAX + 1)).rule).toBe(
      'must have at most 2000 characters',
    );
  });

  it('may not take more steps than the limit, counting lists with their longest', () => {
    const nested = 'owners.all(o, o.ranks.all(r, o.ranks.exists(s, s == r)))';
    expect(refusedFor(nested).rule).toMatch(/may take \d+ steps, at most 100000/);
    const once = 'owners.all(o, o.ranks.all(r, r == 1))';
    expect(compileRule(once, environment).matches(data)).toBe(false);
    expect(refusedFor(`${once} && ${once} && ${once}`).rule).toMatch(/may take/);
  });

  it('is read or refused at once, however deep it goes', () => {
    const attempts = [
      fits('(', 2000),
      `${fits('(', 900)}true${')'.repeat(900)}`,
      `${fits('!', 1900)}true`,
      fits('true?', 400),
      `${fits('[', 900)}1${']'.repeat(900)}`,
      fits('{1:', 600),
      `true${fits('&&true', 330)}`,
      `request${fits('.a', 900)} == 1`,
      fits('scope.exposures.exists(e,', 80),
      `'${fits('\\u0041', 330)}' == request.title`,
      '\u0000',
      '\ud800 == 1',
    ];
    const started = performance.now();
    for (const attempt of attempts) {
      try {
        compileRule(attempt, environment).matches(data);
      } catch (error) {
        assert.ok(error instanceof InvalidExpression, `${attempt.slice(0, 20)}: ${String(error)}`);
      }
    }
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it('is refused as an invalid expression, whatever its characters', () => {
    const words = fc.constantFrom(
      ...['request', '.', 'title', '==', "'", '(', ')', '[', ']', '!', '&&', 'in', 'exists(e,'],
      ...['scope', 'exposures', ' ', '1', 'true', '?', ':', '\\', '"', 'size(', '{', '}', '-'],
    );
    const expressions = fc.oneof(
      fc.array(words, { maxLength: 30 }).map((parts) => parts.join('')),
      fc.string({ unit: 'binary', maxLength: 60 }),
    );
    fc.assert(
      fc.property(expressions, (expression) => {
        try {
          compileRule(expression, environment);
        } catch (error) {
          assert.ok(error instanceof InvalidExpression, String(error));
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('data that the environment does not declare', () => {
  const rule = compileRule('request.urgent', environment);
  it.each([
    [{ ...data, scope: { exposures: [], endpointCount: 1.5 } }, 'scope.endpointCount: must be a w'],
    [{ ...data, scope: { exposures: ['a', 'b', 'c', 'd'], endpointCount: 1 } }, 'at most 3 items'],
    [{ ...data, request: { ...data.request, title: 'x'.repeat(4_001) } }, 'at most 4000 char'],
  ])('is refused by field and rule', (given, message) => {
    const refused = () => rule.matches(given);
    expect(refused).toThrow(UndeclaredData);
    expect(refused).toThrow(message);
  });

  it('is refused where it comes untyped', () => {
    const untyped = compileRule<Environment>('request.urgent', environment);
    const given = { ...data, request: { category: 'urgent', title: 'x', urgent: true } };
    // A value outside the closed set cannot be written for the typed rule.
    expect(() => Reflect.apply(untyped.matches, undefined, [given])).toThrow(
      'request.category: must be one of critical-security',
    );
    expect(() => Reflect.apply(untyped.matches, undefined, [{ ...data, x: 1 }])).toThrow(
      'x: is not declared',
    );
  });
});
