import { ApiProperty, type ApiPropertyOptions } from '@nestjs/swagger';
import type { TSchema } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { Transform, Type } from 'class-transformer';
import { ValidateBy, ValidateIf, ValidateNested } from 'class-validator';
import { parseInstant } from '../instant.js';
import { noteQueryKind, type QueryKind } from './query-kinds.js';
import { isStorableJson, isStorableText } from './text-rules.js';

/** A class that describes a part of a request or an answer. */
export type DtoClass = new () => object;

type FieldDecorator = PropertyDecorator;
type ItemSchema = {
  type: 'string';
  format?: string;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  enum?: string[];
};
type Rule = Readonly<{ test: (value: unknown) => boolean; rule: string }>;

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const WHOLE_MAX = Number.MAX_SAFE_INTEGER;

function together(...parts: readonly FieldDecorator[]): FieldDecorator {
  return (target, property) => {
    for (const part of parts) part(target, property);
  };
}

function ruled({ test, rule }: Rule, each = false): FieldDecorator {
  const validator = { validate: (value: unknown) => test(value), defaultMessage: () => rule };
  return ValidateBy({ name: rule, validator }, { each });
}

/** Separates the path inside a field from the rule that is broken there; neither can hold it. */
export const PATH_SEPARATOR = '\u0000';

/** Rules for the items of a list; the first item that breaks one is named by its index. */
function ruledItems(rules: readonly Rule[]): FieldDecorator {
  const faultIn = (value: unknown): string | null => {
    for (const [index, item] of Array.isArray(value) ? value.entries() : []) {
      const broken = rules.find(({ test }) => !test(item));
      if (broken !== undefined) return `/${String(index)}${PATH_SEPARATOR}${broken.rule}`;
    }
    return null;
  };
  const validator = {
    validate: (value: unknown) => faultIn(value) === null,
    defaultMessage: (args?: { value: unknown }) => faultIn(args?.value) ?? '',
  };
  return ValidateBy({ name: 'items', validator });
}

function described(options: ApiPropertyOptions): FieldDecorator {
  return ApiProperty(options);
}

function fromQuery(kind: QueryKind): FieldDecorator {
  return (target, property) => {
    noteQueryKind(target, property, kind);
  };
}

export type TextOptions = Readonly<{
  /** 0 admits the empty text; 1 by default. */
  min?: number;
  /** 200 by default. */
  max?: number;
  /** Must match the whole text. */
  pattern?: RegExp;
}>;

function textRule({ min = 1, max = 200, pattern }: TextOptions): Rule {
  const shape = pattern === undefined ? '' : ` matching ${pattern.source}`;
  return {
    test: (value) =>
      typeof value === 'string' &&
      value.length >= min &&
      value.length <= max &&
      (pattern?.test(value) ?? true),
    rule: `must be text of ${String(min)} to ${String(max)} characters${shape}`,
  };
}

/** What PostgreSQL or UTF-8 cannot hold, whatever its length. */
const STORABLE = 'must be without NUL characters and halves of surrogate pairs';
const storableRule: Rule = {
  test: (value) => typeof value !== 'string' || isStorableText(value),
  rule: STORABLE,
};

function textSchema({ min = 1, max = 200, pattern }: TextOptions): ItemSchema {
  const shape = pattern === undefined ? {} : { pattern: pattern.source };
  return { type: 'string', minLength: min, maxLength: max, ...shape };
}

export function Text(options: TextOptions = {}): FieldDecorator {
  return together(ruled(textRule(options)), ruled(storableRule), described(textSchema(options)));
}

/** A whole number; 0 to 2^53-1 unless told. */
export function Whole(options: Readonly<{ min?: number; max?: number }> = {}): FieldDecorator {
  const { min = 0, max = WHOLE_MAX } = options;
  return together(
    ruled({
      test: (value) =>
        typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max,
      rule: `must be a whole number from ${String(min)} to ${String(max)}`,
    }),
    described({ type: 'integer', minimum: min, maximum: max }),
    fromQuery('number'),
  );
}

export function Flag(): FieldDecorator {
  return together(
    ruled({ test: (value) => typeof value === 'boolean', rule: 'must be true or false' }),
    described({ type: 'boolean' }),
    fromQuery('boolean'),
  );
}

export function OneOf(values: readonly string[]): FieldDecorator {
  return together(
    ruled({
      test: (value) => values.some((candidate) => candidate === value),
      rule: `must be one of ${values.join(', ')}`,
    }),
    described({ type: 'string', enum: [...values] }),
  );
}

const uuidRule: Rule = {
  test: (value) => typeof value === 'string' && UUID.test(value),
  rule: 'must be a UUID in lower case',
};

export function Uuid(): FieldDecorator {
  return together(ruled(uuidRule), described({ type: 'string', format: 'uuid' }));
}

/** An RFC 3339 instant; arrives in UTC with milliseconds. */
export function InstantField(): FieldDecorator {
  return together(
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' ? (parseInstant(value) ?? value) : value,
    ),
    ruled({
      test: (value) => typeof value === 'string' && parseInstant(value) !== null,
      rule: 'must be an RFC 3339 instant',
    }),
    described({ type: 'string', format: 'date-time' }),
  );
}

export type ListOptions = Readonly<{ max: number; min?: number; text?: TextOptions }>;

/** A list of texts, UUIDs, some of the given words, or of objects of a class. */
export function ListOf(
  item: 'text' | 'uuid' | readonly string[] | (() => DtoClass),
  { max, min = 0, text = {} }: ListOptions,
): FieldDecorator {
  const list = ruled({
    test: (value) => Array.isArray(value) && value.length >= min && value.length <= max,
    rule: `must be a list of ${String(min)} to ${String(max)} items`,
  });
  const size = { minItems: min, maxItems: max };
  if (typeof item === 'function') {
    return together(list, objects(item, true), described({ type: () => [item()], ...size }));
  }
  const [rules, schema] = itemOf(item, text);
  return together(
    list,
    ruledItems(rules),
    described({ type: 'array', items: schema, ...size }),
    fromQuery('list'),
  );
}

function itemOf(
  item: 'text' | 'uuid' | readonly string[],
  text: TextOptions,
): readonly [readonly Rule[], ItemSchema] {
  if (item === 'text') return [[textRule(text), storableRule], textSchema(text)];
  if (item === 'uuid') return [[uuidRule], { type: 'string', format: 'uuid' }];
  const words: Rule = {
    test: (value) => item.some((word) => word === value),
    rule: `must be one of ${item.join(', ')}`,
  };
  return [[words], { type: 'string', enum: [...item] }];
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objects(dto: () => DtoClass, each: boolean): FieldDecorator {
  return together(
    Type(dto),
    ruled({ test: isPlainObject, rule: 'must be an object' }, each),
    ValidateNested({ each, message: 'must be an object' }),
  );
}

export function Nested(dto: () => DtoClass): FieldDecorator {
  return together(objects(dto, false), described({ type: () => dto() }));
}

/** Text by name: names of 1 to 63 letters, digits and `._/-`, texts of at most 200 characters. */
export function TextMap({ max }: Readonly<{ max: number }>): FieldDecorator {
  const name = /^[A-Za-z0-9._/-]{1,63}$/;
  const { test } = textRule({ min: 0 });
  const fits = ([key, text]: [string, unknown]) => name.test(key) && test(text);
  return together(
    ruled({
      test: (value) =>
        isPlainObject(value) &&
        Object.keys(value).length <= max &&
        Object.entries(value).every(fits),
      rule: `must map at most ${String(max)} names matching ${name.source} to text of at most 200 characters`,
    }),
    ruled({
      test: (value) => !isPlainObject(value) || Object.values(value).every(storableRule.test),
      rule: STORABLE,
    }),
    described({
      type: 'object',
      maxProperties: max,
      additionalProperties: { type: 'string', maxLength: 200 },
    }),
  );
}

/** Any JSON value of at most 64 levels; whoever uses it judges its shape. */
export function Json(): FieldDecorator {
  return together(
    ruled({
      test: (value) => isStorableJson(value),
      rule: 'must be JSON of at most 64 levels without NUL characters and halves of surrogate pairs',
    }),
    described({ type: 'object', additionalProperties: true }),
  );
}

/** A value that fits a schema of the contracts; errors name the place inside it. */
export function Shaped(schema: TSchema): FieldDecorator {
  const check = TypeCompiler.Compile(schema);
  const firstError = (value: unknown) => check.Errors(value).First();
  const validator = {
    validate: (value: unknown) => check.Check(value) && isStorableJson(value),
    defaultMessage: (args?: { value: unknown }) => {
      const error = firstError(args?.value);
      const [path, rule] = [error?.path ?? '', error?.message ?? STORABLE];
      return `${path}${PATH_SEPARATOR}${rule}`;
    },
  };
  // Inside `allOf` the schema's own `required` is not taken for that of the field.
  return together(ValidateBy({ name: 'shaped', validator }), described({ allOf: [{ ...schema }] }));
}

/** May be left out; `null` is still refused. */
export function Optional(): FieldDecorator {
  return together(
    ValidateIf((_, value: unknown) => value !== undefined),
    described({ required: false }),
  );
}

/** May be `null`. */
export function OrNull(): FieldDecorator {
  return together(
    ValidateIf((_, value: unknown) => value !== null),
    described({ nullable: true }),
  );
}
