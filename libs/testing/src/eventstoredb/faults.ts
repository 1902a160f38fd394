import { setTimeout as pause } from 'node:timers/promises';
import type { LoseBy, RefuseAs } from './control.js';
import { type Refusal, refusals } from './wire.js';

export type Leader = { readonly host: string; readonly port: number };
export type Loss = { readonly committed: boolean; readonly by: LoseBy };

/** What goes wrong next. Handlers ask; the control object sets. */
export type Faults = {
  delayMs: number;
  credentialsRefused: boolean;
  eventsWithheld: boolean;
  refuse(calls: number, as: RefuseAs, leader: Leader): void;
  lose(appends: number, loss: Loss): void;
  /** Waits as long as replies are to be delayed. */
  delay(): Promise<void>;
  takeRefusal(): { readonly as: RefuseAs; readonly refusal: Refusal } | null;
  takeLoss(): Loss | null;
  clear(): void;
};

export function createFaults(): Faults {
  let refusing = { calls: 0, as: 'unavailable' as RefuseAs, leader: { host: '', port: 0 } };
  let losing = { appends: 0, loss: { committed: true, by: 'silence' } as Loss };

  const faults: Faults = {
    delayMs: 0,
    credentialsRefused: false,
    eventsWithheld: false,
    refuse: (calls, as, leader) => (refusing = { calls, as, leader }),
    lose: (appends, loss) => (losing = { appends, loss }),
    delay: async () => {
      if (faults.delayMs > 0) await pause(faults.delayMs, undefined, { ref: false });
    },
    takeRefusal: () => {
      if (refusing.calls === 0) return null;
      refusing.calls -= 1;
      return { as: refusing.as, refusal: refusalAs(refusing.as, refusing.leader) };
    },
    takeLoss: () => {
      if (losing.appends === 0) return null;
      losing.appends -= 1;
      return losing.loss;
    },
    clear: () => {
      faults.delayMs = 0;
      faults.credentialsRefused = false;
      faults.eventsWithheld = false;
      refusing.calls = 0;
      losing.appends = 0;
    },
  };
  return faults;
}

function refusalAs(as: RefuseAs, leader: Leader): Refusal {
  switch (as) {
    case 'not-leader':
      return refusals.notLeader(leader.host, leader.port);
    case 'unavailable':
      return refusals.unavailable();
    case 'not-ready':
      return refusals.notReady();
    case 'timeout':
      return refusals.timeout('Commit phase timeout.');
  }
}
