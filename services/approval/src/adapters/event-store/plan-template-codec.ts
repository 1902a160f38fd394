import { decoder } from '@patchtrail/contracts';
import { type Codec, jsonCodec } from '@patchtrail/event-store';
import { Type } from '@sinclair/typebox';
import type { PlanTemplateEvent } from '../../domain/plan-template.js';
import { By, Rollout } from './stored-types.js';

const Definition = Type.Intersect([Rollout, By]);

export const planTemplateCodec: Codec<PlanTemplateEvent> = jsonCodec<PlanTemplateEvent>(
  { PlanTemplateDefined: decoder(Definition), PlanTemplateRevised: decoder(Definition) },
  1,
);
