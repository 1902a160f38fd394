import { digestOf } from '@patchtrail/contracts';
import { DomainError } from '@patchtrail/event-sourcing';
import {
  type CommandContext,
  commandIdFrom,
  handle,
  load,
  WrongExpectedRevision,
} from '@patchtrail/event-store';
import { get } from '../domain/table.js';
import type { PackageVersion, ReportedOutcome } from '../domain/wave-part-messages.js';
import type { PlannedPart } from '../domain/wave-part-state.js';
import { type AgentDeps, CONFLICT_TRIES_MAX } from './lease-ports.js';
import { mayStart, readRolloutOf } from './offer-lease.js';
import type { RefusedReport } from './ports.js';

export type Confirmation = Readonly<{ attemptId: string; endpointId: string; epoch: number }>;

/**
 * The agent's last question before it starts.
 * @throws DomainError `unknown-lease`, `lease-of-another-endpoint`, `epoch-superseded`, `lease-ended`
 */
export async function confirmLease(
  deps: AgentDeps,
  confirmation: Confirmation,
  context: CommandContext,
): Promise<void> {
  const reportDigest = digestOf(confirmation);
  await recordingRefusals(
    deps,
    { ...confirmation, kind: 'confirmation', reportDigest },
    context,
    async () => {
      const stream = await findPart(deps, confirmation);
      await deps.queue(stream, () => confirmIn(deps, stream, confirmation, context));
    },
  );
}

async function confirmIn(
  deps: AgentDeps,
  stream: string,
  confirmation: Confirmation,
  context: CommandContext,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    // The order is the point. A halt recorded before the rollout is read refuses; the parts are told
    // of a halt recorded after it later, and an append of theirs in between fails this one's revision.
    const { state: part, revision } = await load(deps.streams.parts, stream);
    if (part.status === 'absent') throw new DomainError('unknown-lease');
    await checkEpoch(deps, stream, part, confirmation);
    try {
      const command = { type: 'ConfirmLease', data: confirmation } as const;
      await handle(deps.streams.parts, stream, command, context, { expected: revision });
      return;
    } catch (error) {
      if (!(error instanceof WrongExpectedRevision) || tries === CONFLICT_TRIES_MAX) throw error;
    }
  }
}

async function checkEpoch(
  deps: AgentDeps,
  stream: string,
  part: PlannedPart,
  { attemptId, epoch }: Confirmation,
): Promise<void> {
  const rollout = await readRolloutOf(deps, stream);
  if (rollout === null) throw new DomainError('unknown-lease');
  const kind = get(part.attempts, attemptId)?.lease.kind ?? 'install';
  if (mayStart(rollout, kind, epoch)) return;
  const current = `the rollout is ${rollout.status} in epoch ${rollout.epoch}`;
  throw new DomainError('epoch-superseded', `epoch: ${epoch} may not start, ${current}`);
}

export type OutcomeReport = Confirmation &
  Readonly<{
    outcome: ReportedOutcome;
    class: string;
    transient: boolean;
    detail: string;
    versions: PackageVersion[];
    deviceTime: string;
  }>;

/**
 * How an attempt ended. Returns after the append that holds it; the same report again is the same
 * answer without another event.
 * @throws DomainError `unknown-lease`, `lease-of-another-endpoint`, `epoch-mismatch`,
 * `outcome-not-of-kind`, `lease-not-confirmed`, `already-reported`
 */
export async function recordOutcome(
  deps: AgentDeps,
  report: OutcomeReport,
  context: CommandContext,
): Promise<void> {
  const reportDigest = digestOf(report);
  await recordingRefusals(deps, { ...report, kind: 'outcome', reportDigest }, context, async () => {
    const stream = await findPart(deps, report);
    const commandId = commandIdFrom('outcome', report.attemptId, reportDigest);
    const data = { ...report, reportDigest, at: context.at };
    const command = { type: 'RecordOutcome', data } as const;
    await deps.queue(stream, () =>
      handle(deps.streams.parts, stream, command, { ...context, commandId }),
    );
  });
}

/** The projection may be behind, so the endpoint's own unfinished parts are read as well. */
async function findPart(
  deps: AgentDeps,
  { attemptId, endpointId }: { attemptId: string; endpointId: string },
): Promise<string> {
  const known = await deps.membership.partOfAttempt(attemptId);
  if (known !== null) return known;
  for (const stream of await deps.membership.openParts(endpointId)) {
    const { state } = await load(deps.streams.parts, stream);
    if (state.status !== 'absent' && get(state.attempts, attemptId) !== undefined) return stream;
  }
  throw new DomainError('unknown-lease', `attemptId: there is no lease ${attemptId}`);
}

async function recordingRefusals(
  deps: AgentDeps,
  { endpointId, attemptId, kind, reportDigest }: Omit<RefusedReport, 'code' | 'detail' | 'at'>,
  { at }: CommandContext,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof DomainError) {
      const { code, message: detail } = error;
      await deps.refused.record({ endpointId, attemptId, kind, code, detail, reportDigest, at });
    }
    throw error;
  }
}
