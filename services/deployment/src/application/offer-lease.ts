import { DomainError } from '@patchtrail/event-sourcing';
import {
  type CommandContext,
  commandIdFrom,
  handle,
  load,
  type Loaded,
  WrongExpectedRevision,
} from '@patchtrail/event-store';
import type { CreatedRollout } from '../domain/rollout-state.js';
import { get } from '../domain/table.js';
import { activeLeaseOf, offeredKind } from '../domain/wave-part.js';
import type { IssuedLease, Kind } from '../domain/wave-part-messages.js';
import type { WavePart } from '../domain/wave-part-state.js';
import { type AgentDeps, CONFLICT_TRIES_MAX } from './lease-ports.js';
import { parsePartStream, rolloutStream } from './names.js';
import type { EndpointInHand, LeaseOffer } from './ports.js';

/**
 * The endpoint's lease: the one it has already, else the next one that is due and has a free slot.
 * `busyWith` is the attempt that the agent's own journal holds open.
 * @throws DomainError `unknown-endpoint`
 */
export async function offerLease(
  deps: AgentDeps,
  endpointId: string,
  busyWith: string | null,
  context: CommandContext,
): Promise<LeaseOffer | null> {
  return deps.membership.alone(endpointId, async (inHand) => {
    const parts = new Map<string, Loaded<WavePart>>();
    for (const stream of inHand.parts) parts.set(stream, await load(deps.streams.parts, stream));
    for (const [stream, { state }] of parts) {
      const lease = activeLeaseOf(state, endpointId);
      if (lease !== null) {
        return busyWith === null || busyWith === lease.attemptId
          ? resumed(deps, inHand, stream, state, lease)
          : null;
      }
    }
    await inHand.leaseIn(null);
    if (busyWith !== null) return null;
    for (const stream of parts.keys()) {
      const offer = await tryPart(deps, inHand, stream, endpointId, context);
      if (offer !== null) return offer;
    }
    return null;
  });
}

async function resumed(
  deps: AgentDeps,
  inHand: EndpointInHand,
  stream: string,
  part: WavePart,
  lease: IssuedLease,
): Promise<LeaseOffer | null> {
  const rollout = await readRolloutOf(deps, stream);
  if (rollout === null || part.status === 'absent') return null;
  const isConfirmed = get(part.attempts, lease.attemptId)?.confirmed === true;
  // A recalled lease is not handed out again while the recall is still on its way to the part.
  if (!isConfirmed && !mayStart(rollout, lease.kind, lease.epoch)) return null;
  return offerOf(inHand, rollout, stream, lease);
}

async function tryPart(
  deps: AgentDeps,
  inHand: EndpointInHand,
  stream: string,
  endpointId: string,
  context: CommandContext,
): Promise<LeaseOffer | null> {
  return deps.queue(stream, async () => {
    for (let tries = 0; tries < CONFLICT_TRIES_MAX; tries += 1) {
      try {
        return await issue(deps, inHand, stream, endpointId, context);
      } catch (error) {
        if (error instanceof DomainError) return null;
        if (!(error instanceof WrongExpectedRevision)) throw error;
      }
    }
    return null;
  });
}

async function issue(
  deps: AgentDeps,
  inHand: EndpointInHand,
  stream: string,
  endpointId: string,
  context: CommandContext,
): Promise<LeaseOffer | null> {
  const { state: part, revision } = await load(deps.streams.parts, stream);
  if (part.status === 'absent') return null;
  const kind = offeredKind(part);
  const endpoint = get(part.endpoints, endpointId);
  if (kind === null || endpoint?.progress !== 'waiting') return null;
  // Read after the part and appended at the part's revision: a halt in between is never missed.
  const rollout = await readRolloutOf(deps, stream);
  const { epoch } = part;
  if (rollout === null || !mayStart(rollout, kind, epoch)) return null;
  if ((await inHand.patches(rollout.patches)) === null) return null;
  const attempt = endpoint.attempts + 1;
  const attemptId = attemptIdOf(stream, endpointId, kind, attempt);
  const data = { endpointId, attempt, attemptId, epoch, at: context.at };
  await inHand.leaseIn(stream);
  const issuing = { ...context, commandId: commandIdFrom('issue', attemptId) };
  const command = { type: 'IssueLease', data } as const;
  const { state } = await handle(deps.streams.parts, stream, command, issuing, {
    expected: revision,
  });
  const lease = activeLeaseOf(state, endpointId);
  return lease === null ? null : offerOf(inHand, rollout, stream, lease);
}

function attemptIdOf(stream: string, endpointId: string, kind: Kind, attempt: number): string {
  return commandIdFrom('attempt', stream, endpointId, kind, String(attempt));
}

/** Whether an attempt of this kind and epoch may start, as far as the rollout is concerned. */
export function mayStart(rollout: CreatedRollout, kind: Kind, epoch: number): boolean {
  const wanted = kind === 'install' ? 'running' : 'rolling-back';
  return rollout.status === wanted && rollout.epoch === epoch;
}

export async function readRolloutOf(
  { streams }: Pick<AgentDeps, 'streams'>,
  stream: string,
): Promise<CreatedRollout | null> {
  const name = parsePartStream(stream);
  if (name === null) return null;
  const { state } = await load(streams.rollouts, rolloutStream(name.rolloutId));
  return state.status === 'absent' ? null : state;
}

async function offerOf(
  inHand: EndpointInHand,
  rollout: CreatedRollout,
  stream: string,
  lease: IssuedLease,
): Promise<LeaseOffer | null> {
  const patches = await inHand.patches(rollout.patches);
  const ring = rollout.plan.rings[parsePartStream(stream)?.ring ?? -1];
  if (patches === null || ring === undefined) return null;
  const { attemptId, endpointId, kind, epoch, leaseExpiresAt, rollbackOf } = lease;
  const { rolloutId } = rollout;
  return {
    ...{ attemptId, rolloutId, endpointId, ring: ring.name, kind, epoch },
    ...{ leaseExpiresAt, patches, rollbackOf },
  };
}
