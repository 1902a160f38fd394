import { randomUUID } from 'node:crypto';
import { type Decider, DomainError, type Message } from '@patchtrail/event-sourcing';
import { type CommandContext, jsonCodec } from '@patchtrail/event-store';

/** A decision of about the size and work of an approval's: it checks, records, and counts. */

type Vote = Readonly<{
  by: string;
  verdict: string;
  changeDigest: string;
  stage: string;
  remark: string;
  at: string;
}>;
export type BallotCommand = Message<'Vote', Vote>;
export type BallotEvent = Message<'VoteRecorded', Vote>;
export type Ballot = Readonly<{ changeDigest: string | null; voters: ReadonlySet<string> }>;

export const ballot: Decider<Ballot, BallotCommand, BallotEvent> = {
  initial: { changeDigest: null, voters: new Set() },
  decide: ({ data }, { changeDigest, voters }) => {
    if (voters.has(data.by)) throw new DomainError('already-voted');
    if (changeDigest !== null && changeDigest !== data.changeDigest) {
      throw new DomainError('digest-mismatch');
    }
    return [{ type: 'VoteRecorded', data }];
  },
  evolve: ({ voters }, { data }) => ({
    changeDigest: data.changeDigest,
    voters: new Set(voters).add(data.by),
  }),
};

const FIELDS = ['by', 'verdict', 'changeDigest', 'stage', 'remark', 'at'] as const;

export const ballotCodec = jsonCodec<BallotEvent>(
  {
    VoteRecorded: (data) => {
      if (!isVote(data)) throw new TypeError(`must have the texts ${FIELDS.join(', ')}`);
      return data;
    },
  },
  1,
);

function isVote(data: unknown): data is Vote {
  if (typeof data !== 'object' || data === null) return false;
  const fields: Readonly<Record<string, unknown>> = { ...data };
  return FIELDS.every((field) => typeof fields[field] === 'string');
}

const AT = '2026-11-21T09:00:00.000Z';
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

const VOTE = {
  by: '',
  verdict: 'approve',
  changeDigest: `sha256:${'a'.repeat(64)}`,
  stage: 'people',
  remark: '',
  at: AT,
};
const REMARK_LENGTH = 540 - JSON.stringify(VOTE).length;

/** 540 bytes as JSON. */
export function voteBy(by: string): BallotCommand {
  return { type: 'Vote', data: { ...VOTE, by, remark: 'r'.repeat(REMARK_LENGTH - by.length) } };
}

export function contextOf(commandId: string = randomUUID()): CommandContext {
  const origin = { correlationId: commandId, causationId: commandId };
  return { commandId, ...origin, actor: 'bench', at: AT, traceparent: TRACE };
}
