/** Of a bus: `detail` says what is wrong, or is empty. */
export type BusHealth = Readonly<{ ok: boolean; detail: string }>;

type State = 'joining' | 'joined' | 'lost' | 'failed';

/** What is known of one member of a group. */
export type MemberHealth = Readonly<{
  joining: () => void;
  joined: () => void;
  /** It has read from Kafka, or beaten while it handled a delivery. */
  alive: () => void;
  lost: (reason: string) => void;
  failed: (reason: string) => void;
  problem: () => string | null;
}>;

/** A rebalance takes seconds; a member that has not read for longer is of no use. */
const SILENT_MS_MAX = 30_000;

export function createMemberHealth(group: string, now = () => performance.now()): MemberHealth {
  let state: State = 'joining';
  let hasJoined = false;
  let reason = '';
  let aliveAt = now();
  const problem = (): string | null => {
    if (state === 'failed' || state === 'lost') return reason;
    if (!hasJoined) return 'it has not joined yet';
    const silentMs = now() - aliveAt;
    if (silentMs <= SILENT_MS_MAX) return null;
    return `it has not read for ${String(Math.round(silentMs / 1_000))} s`;
  };
  return {
    joining: () => (state = state === 'lost' ? 'lost' : 'joining'),
    joined: () => {
      state = 'joined';
      hasJoined = true;
      aliveAt = now();
    },
    alive: () => (aliveAt = now()),
    lost: (why) => {
      state = 'lost';
      reason = why;
    },
    failed: (why) => {
      state = 'failed';
      reason = why;
    },
    problem: () => {
      const text = problem();
      return text === null ? null : `${group}: ${text}`;
    },
  };
}
