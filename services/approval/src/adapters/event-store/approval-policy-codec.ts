import { decoder } from '@patchtrail/contracts';
import { type Codec, jsonCodec } from '@patchtrail/event-store';
import { Type } from '@sinclair/typebox';
import type { ApprovalPolicyEvent } from '../../domain/approval-policy.js';
import { By, Stages } from './stored-types.js';

const Text = Type.String();
const Rule = Type.Object({ name: Text, when: Text, stages: Stages, reason: Text });
const Content = Type.Object({ name: Text, requestTtlMs: Type.Integer(), rules: Type.Array(Rule) });

export const approvalPolicyCodec: Codec<ApprovalPolicyEvent> = jsonCodec<ApprovalPolicyEvent>(
  { PolicyProposed: decoder(Type.Intersect([Content, By])), PolicyActivated: decoder(By) },
  1,
);
