import { assertCloudEvent, ContractViolation } from '@patchtrail/contracts';
import { type Database, failureColumns, type Sql } from '@patchtrail/postgres';
import type { Bus, Delivery } from './bus.js';
import type { Log } from './log.js';
import { type Apply, applyOrRefuse } from './apply.js';
import { type Failed, isParked, lockKey, park, receive, refuse, type Refusal } from './inbox.js';
import { pause } from './pause.js';

export type ConsumeOptions = Readonly<{
  bus: Bus;
  db: Database;
  /** `<service>.<purpose>` */
  group: string;
  topics: readonly string[];
  apply: Apply;
  signal: AbortSignal;
  log: Log;
  /** Milliseconds before each further try; as many tries as delays, and one. */
  retryDelaysMs?: readonly number[];
  /** Rejects while something that `apply` needs, besides its database, is away. */
  reachable?: () => Promise<unknown>;
}>;

/** Five tries within about four seconds; meanwhile the member's other partitions wait. */
const RETRY_DELAYS_MS = [100, 300, 900, 2_700];

/**
 * Applies each message once, although it may be delivered often: an inbox row is written in the
 * transaction of its effect. A refusal (`DomainError`, `ContractViolation`) is consumed and recorded
 * in `refused_messages`. Any other error is tried again, then the message's key is parked with the
 * cause: this message and later ones of the key wait in `parked_messages` for `replayParked`, and
 * everything else goes on. While the service's database, or what `reachable` looks at, is away
 * nothing is parked: the delivery comes again until it is back.
 */
export function consume(options: ConsumeOptions): Readonly<{ done: Promise<void> }> {
  const { bus, group, topics, signal } = options;
  const handle = (delivery: Delivery) => receiveOnce(options, delivery);
  return { done: bus.run({ group, topics, signal, handle }) };
}

async function receiveOnce(options: ConsumeOptions, delivery: Delivery): Promise<void> {
  const { db, group, log, signal, retryDelaysMs = RETRY_DELAYS_MS } = options;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const refusal = await db.transaction((tx) => settleOnce(options, tx, delivery));
      if (refusal !== null) {
        log.warn(
          { group, ...about(delivery), cause: failureColumns(refusal).cause },
          'A message was refused.',
        );
      }
      return;
    } catch (error) {
      const delayMs = retryDelaysMs[attempt - 1];
      if (delayMs === undefined) {
        await options.reachable?.();
        await parkKey(options, delivery, { error, tries: attempt });
        return;
      }
      const fields = { err: error, group, ...about(delivery), attempt };
      log.warn(fields, 'A message failed and will be tried again.');
      await pause(delayMs, signal);
      signal.throwIfAborted();
    }
  }
}

/** One transaction for the inbox row and what became of the message. */
async function settleOnce(
  { group, apply }: ConsumeOptions,
  tx: Sql,
  delivery: Delivery,
): Promise<Refusal | null> {
  const malformed = envelopeViolation(delivery);
  if (malformed !== null) {
    await refuse(tx, group, delivery, malformed);
    return malformed;
  }
  const key = delivery.message.partitionkey;
  await lockKey(tx, group, key);
  if (!(await receive(tx, group, delivery.message))) return null;
  if (await isParked(tx, group, key)) {
    await park(tx, group, delivery, null);
    return null;
  }
  return applyOrRefuse(tx, group, delivery, apply);
}

function envelopeViolation({ message }: Delivery): ContractViolation | null {
  try {
    assertCloudEvent(message);
    return null;
  } catch (error) {
    if (error instanceof ContractViolation) return error;
    throw error;
  }
}

async function parkKey(
  { db, group, log }: ConsumeOptions,
  delivery: Delivery,
  failed: Failed,
): Promise<void> {
  await db.transaction(async (tx) => {
    await lockKey(tx, group, delivery.message.partitionkey);
    if (await receive(tx, group, delivery.message)) await park(tx, group, delivery, failed);
  });
  log.error({ err: failed.error, group, ...about(delivery) }, 'A message and its key are parked.');
}

function about({ topic, partition, offset, message }: Delivery) {
  return { topic, partition, offset: String(offset), messageId: message.id, type: message.type };
}
