import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import type { TSchema } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { map, type Observable } from 'rxjs';
import { firstDifference } from './json-difference.js';
import { pathOf, Problem } from './problem.js';
import { type Answer, answerOf } from './route-facts.js';

/** Turns an answer that its document does not describe into a 500 that names the field. */
@Injectable()
export class AnswerCheck implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const answer = answerOf(context.getHandler());
    return next.handle().pipe(
      map((value: unknown) => {
        const fault = answer === undefined ? NOT_SAID : answerFault(answer, value);
        if (fault === null) return value;
        const { field, rule } = fault;
        throw new Problem(500, 'undocumented-answer', `${field} ${rule}.`, [fault]);
      }),
    );
  }
}

type Fault = Readonly<{ field: string; rule: string }>;

const NOT_SAID: Fault = { field: '', rule: 'the route does not say what it answers' };

function answerFault({ schema, orNothing }: Answer, value: unknown): Fault | null {
  if (value === undefined || value === null) {
    return orNothing ? null : { field: '', rule: 'must not be nothing' };
  }
  const sent: unknown = JSON.parse(JSON.stringify(value));
  const error = Value.Errors(schema, sent).First();
  if (error !== undefined) return { field: pathOf(error.path), rule: error.message };
  const unknown = undocumentedField(schema, sent);
  return unknown === null ? null : { field: pathOf(unknown), rule: 'is not documented' };
}

/** Clients may meet fields that they do not know; whoever writes the document may not. */
function undocumentedField(schema: TSchema, sent: unknown): string | null {
  return firstDifference(sent, Value.Clean(schema, structuredClone(sent)));
}
