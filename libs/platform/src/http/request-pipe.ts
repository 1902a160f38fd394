import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { validate, type ValidationError } from 'class-validator';
import { PATH_SEPARATOR } from './fields.js';
import { type FieldError, joinPath, pathOf, type Problem, problem } from './problem.js';
import { convertQuery } from './query-kinds.js';
import { prototypeOf } from './routes.js';
import { structureFault } from './text-rules.js';

const ERRORS_MAX = 50;
const FAULT_PATH_MAX = 8;
const BUILT_IN: readonly unknown[] = [String, Number, Boolean, Array, Object, Date, undefined];

type DtoConstructor = new () => object;

/** Whether a parameter's type is a class whose fields say their rules. */
export function isDto(type: unknown): type is DtoConstructor {
  return typeof type === 'function' && !BUILT_IN.includes(type);
}

/** Bodies and queries by the rules of their DTO's fields; an unknown field is refused. */
export class RequestPipe implements PipeTransform {
  async transform(value: unknown, { type, metatype }: ArgumentMetadata): Promise<unknown> {
    if (type === 'custom' || !isDto(metatype)) return value;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw problem('invalid-request', 'The body must be a JSON object.', [
        { field: '', rule: 'must be a JSON object' },
      ]);
    }
    return decode(metatype, type === 'query' ? queryOf(value, metatype) : value);
  }
}

/** `as_of` belongs to `@AsOf()`, not to the DTO beside it. */
function queryOf(query: object, dto: DtoConstructor): object {
  const converted = convertQuery(query, prototypeOf(dto));
  Reflect.deleteProperty(converted, 'as_of');
  return converted;
}

/** @throws Problem 400 `invalid-request` with one entry per field */
export async function decode<T extends object>(dto: new () => T, value: object): Promise<T> {
  const fault = structureFault(value);
  if (fault !== null) {
    throw invalid([
      { field: fault.path.slice(0, FAULT_PATH_MAX).reduce(joinPath, ''), rule: fault.rule },
    ]);
  }
  const instance = plainToInstance(dto, value);
  const errors = await validate(instance, {
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
  });
  if (errors.length > 0) throw invalid(errors.flatMap((error) => fieldErrors(error, '')));
  return withoutUndefined(instance);
}

function invalid(errors: readonly FieldError[]): Problem {
  const [first] = errors;
  const detail = first === undefined ? 'A field breaks its rule.' : `${first.field} ${first.rule}.`;
  return problem('invalid-request', detail, errors.slice(0, ERRORS_MAX));
}

function fieldErrors(error: ValidationError, parent: string): readonly FieldError[] {
  const field = joinPath(parent, error.property);
  const own = Object.entries(error.constraints ?? {}).map(([name, text]) =>
    fieldError(field, name, text),
  );
  return [...own, ...(error.children ?? []).flatMap((child) => fieldErrors(child, field))];
}

function fieldError(field: string, name: string, text: string): FieldError {
  if (name === 'whitelistValidation') return { field, rule: 'is not a known field' };
  if (name === 'unknownValue') return { field, rule: 'must be an object' };
  const [pointer, rule] = text.split(PATH_SEPARATOR);
  if (pointer === undefined || rule === undefined) return { field, rule: text };
  const inner = pathOf(pointer);
  const separator = inner === '' || inner.startsWith('[') ? '' : '.';
  return { field: `${field}${separator}${inner}`, rule };
}

/** Class fields without a value exist as `undefined`; a DTO holds only what was sent or preset. */
function withoutUndefined<T>(value: T): T {
  if (Array.isArray(value)) value.forEach(withoutUndefined);
  else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined) Reflect.deleteProperty(value, key);
      else withoutUndefined(item);
    }
  }
  return value;
}
