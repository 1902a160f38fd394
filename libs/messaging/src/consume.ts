import {
  assertCloudEvent,
  assertData,
  ContractViolation,
  INTEGRATION_EVENTS,
} from '@patchtrail/contracts';
import { type Database, failureColumns, isContended, type Sql } from '@patchtrail/postgres';
import type { Bus, Delivery } from './bus.js';
import { publishDeadLetter } from './dead-letter.js';
import type { Log } from './log.js';
import { countDuplicate, countRefusal, observeParked } from './observed-messages.js';
import { type Apply, applyOrRefuse } from './apply.js';
import { type Failed, isParked, lockKey, park, receive, refuse, type Refusal } from './inbox.js';
import { pause } from './pause.js';

export type ConsumeOptions = Readonly<{
  bus: Bus;
  db: Database;
  /** `<service>.<purpose>` */
  group: string;
  topics: readonly string[];
  /** Types of the messages that `apply` acts on; the others are passed over. All unless told. */
  types?: readonly string[] | null;
  apply: Apply;
  signal: AbortSignal;
  log: Log;
  /** Milliseconds before each further try; as many tries as delays, and one. */
  retryDelaysMs?: readonly number[];
  /** Rejects while something that `apply` needs, besides its database, is away. */
  reachable?: () => Promise<unknown>;
}>;

/** Five tries within about four seconds; meanwhile the member goes on with what it has fetched. */
const RETRY_DELAYS_MS = [100, 300, 900, 2_700];

/**
 * Applies each message once, although it may be delivered often: an inbox row is written in the
 * transaction of its effect. What `apply` does not act on costs nothing. A refusal (`DomainError`,
 * `ContractViolation`) is consumed and recorded in `refused_messages`. Any other error is tried
 * again, then the message's key is parked with the cause: this message and later ones of the key
 * wait in `parked_messages` for `replayParked`, and everything else goes on. A copy of it, and of
 * what breaks its contract, is published on the group's dead-letter topic. While the service's
 * database, or what `reachable` looks at, is away nothing is parked, nor for a lock that others
 * hold: the delivery comes again until it succeeds.
 */
export function consume(options: ConsumeOptions): Readonly<{ done: Promise<void> }> {
  const { bus, db, group, topics, signal } = options;
  const handle = async (delivery: Delivery) => {
    if (isForUs(options, delivery.message.type)) await receiveOnce(options, delivery);
  };
  const forget = observeParked(db, group);
  return { done: bus.run({ group, topics, signal, handle }).finally(forget) };
}

/** What has no type, or two, is no message of ours at all, which must not go unseen. */
function isForUs({ types = null }: ConsumeOptions, type: unknown): boolean {
  return types === null || typeof type !== 'string' || types.includes(type);
}

async function receiveOnce(options: ConsumeOptions, delivery: Delivery): Promise<void> {
  const { db, group, log, signal, retryDelaysMs = RETRY_DELAYS_MS } = options;
  for (let attempt = 1; ; attempt += 1) {
    const transaction = { hasBegun: false };
    try {
      const refusal = await db.transaction((tx) => {
        transaction.hasBegun = true;
        return settleOnce(options, tx, delivery);
      });
      if (refusal !== null) {
        countRefusal(group);
        const { cause } = failureColumns(refusal);
        log.warn({ group, ...about(delivery), cause }, 'A message was refused.');
      }
      return;
    } catch (error) {
      const delayMs = retryDelaysMs[attempt - 1];
      if (delayMs === undefined) {
        if (!transaction.hasBegun || isContended(error)) throw error;
        await options.reachable?.();
        await parkKey(options, delivery, { error, tries: attempt });
        return;
      }
      const fields = { err: error, group, ...about(delivery), attempt };
      log.warn(fields, 'A message failed and will be tried again.');
      await pause(delayMs, signal);
      signal.throwIfAborted();
      if (attempt === retryDelaysMs.length) await allReachable(options);
    }
  }
}

/**
 * Before the last try, besides after it: whose last try is cut short by an outage that ends with it
 * would be parked for that.
 */
async function allReachable({ db, reachable }: ConsumeOptions): Promise<void> {
  await db.rows('SELECT 1');
  await reachable?.();
}

/**
 * One transaction for the inbox row and what became of the message. What breaks its contract is its
 * publisher's fault, which somebody must hear of.
 */
async function settleOnce(
  options: ConsumeOptions,
  tx: Sql,
  delivery: Delivery,
): Promise<Refusal | null> {
  const refusal = await settle(options, tx, delivery);
  if (refusal instanceof ContractViolation) await publishDeadLetter(options, delivery, refusal);
  return refusal;
}

async function settle(
  { group, apply }: ConsumeOptions,
  tx: Sql,
  delivery: Delivery,
): Promise<Refusal | null> {
  const malformed = violationOf(delivery);
  if (malformed !== null) {
    await refuse(tx, group, delivery, malformed);
    return malformed;
  }
  const key = delivery.message.partitionkey;
  await lockKey(tx, group, key);
  if (!(await receive(tx, group, delivery.message))) {
    countDuplicate(group);
    return null;
  }
  if (await isParked(tx, group, key)) {
    await park(tx, group, delivery, null);
    return null;
  }
  return applyOrRefuse(tx, group, delivery, apply);
}

/** By type. One that is not known here is for `apply` to pass over. */
const CONTRACTS = new Map(INTEGRATION_EVENTS.map((definition) => [definition.type, definition]));

function violationOf({ message }: Delivery): ContractViolation | null {
  try {
    const { type, data } = assertCloudEvent(message);
    const contract = CONTRACTS.get(type);
    if (contract !== undefined) assertData(contract, data);
    return null;
  } catch (error) {
    if (error instanceof ContractViolation) return error;
    throw error;
  }
}

async function parkKey(options: ConsumeOptions, delivery: Delivery, failed: Failed): Promise<void> {
  const { db, group, log } = options;
  const isParkedNow = await db.transaction(async (tx) => {
    await lockKey(tx, group, delivery.message.partitionkey);
    if (!(await receive(tx, group, delivery.message))) return false;
    await park(tx, group, delivery, failed);
    await publishDeadLetter(options, delivery, failed.error);
    return true;
  });
  if (!isParkedNow) return;
  log.error({ err: failed.error, group, ...about(delivery) }, 'A message and its key are parked.');
}

function about({ topic, partition, offset, message }: Delivery) {
  return { topic, partition, offset: String(offset), messageId: message.id, type: message.type };
}
