import { commandIdFrom, type CommandContext, handle } from '@patchtrail/event-store';
import type { Rollout } from '../domain/change.js';
import { templateStreamOf, type TemplateStream } from './ports.js';
import { checkSelector } from './resolve-change.js';

/** The template's id follows from the command's. @throws DomainError */
export async function definePlanTemplate(
  templates: TemplateStream,
  rollout: Rollout,
  context: CommandContext,
) {
  checkRings(rollout);
  const templateId = commandIdFrom('plan-template', context.commandId);
  const data = { ...rollout, by: context.actor, at: context.at };
  const name = templateStreamOf(templateId);
  const outcome = await handle(templates, name, { type: 'DefinePlanTemplate', data }, context);
  return { templateId, outcome };
}

/** Requests opened before keep the plan they carry. @throws DomainError, WrongExpectedRevision */
export async function revisePlanTemplate(
  templates: TemplateStream,
  templateId: string,
  rollout: Rollout,
  context: CommandContext,
  expected: number | undefined,
) {
  checkRings(rollout);
  const data = { ...rollout, by: context.actor, at: context.at };
  const name = templateStreamOf(templateId);
  const options = expected === undefined ? {} : { expected };
  return handle(templates, name, { type: 'RevisePlanTemplate', data }, context, options);
}

/** Groups may be defined later; they are checked when a request uses the plan. */
function checkRings({ rings }: Rollout): void {
  for (const [index, { selector }] of rings.entries()) {
    checkSelector(selector, null, `rings[${String(index)}].selector`);
  }
}
