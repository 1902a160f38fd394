import { type Static, Type } from '@sinclair/typebox';

const exact = { additionalProperties: false };
const Count = Type.Integer({ minimum: 0, maximum: 1_000_000 });
const Total = Type.Integer({ minimum: 0 });
const Ms = Type.Integer({ minimum: 0, maximum: 600_000 });
const Switch = Type.Object({ on: Type.Boolean() }, exact);

/** What each command of the control object takes; over HTTP it is the body. */
export const COMMANDS = {
  endCalls: Type.Object(
    {
      kind: Type.Union([Type.Literal('subscription'), Type.Literal('read'), Type.Literal('batch')]),
    },
    exact,
  ),
  dropConnections: Type.Object({}, exact),
  delayReplies: Type.Object({ ms: Ms }, exact),
  refuseCalls: Type.Object(
    {
      calls: Count,
      as: Type.Union([
        Type.Literal('not-leader'),
        Type.Literal('unavailable'),
        Type.Literal('not-ready'),
        Type.Literal('timeout'),
      ]),
      leader: Type.Optional(
        Type.Object({ host: Type.String(), port: Type.Integer({ minimum: 1, maximum: 65_535 }) }),
      ),
    },
    exact,
  ),
  loseAppends: Type.Object(
    {
      appends: Count,
      committed: Type.Boolean(),
      by: Type.Union([
        Type.Literal('silence'),
        Type.Literal('end'),
        Type.Literal('drop'),
        Type.Literal('unavailable'),
        Type.Literal('timeout'),
      ]),
    },
    exact,
  ),
  tellSubscribers: Type.Object(
    { message: Type.Union([Type.Literal('caught-up'), Type.Literal('fell-behind')]) },
    exact,
  ),
  refuseCredentials: Switch,
  withholdEvents: Switch,
  hang: Switch,
  restart: Type.Object({ downMs: Ms }, exact),
  state: Type.Object({}, exact),
  behave: Type.Object({}, exact),
};

type Takes<C extends keyof typeof COMMANDS> = Static<(typeof COMMANDS)[C]>;

export type OpenCallKind = Takes<'endCalls'>['kind'];
/** How calls are refused before anything happens. */
export type RefuseAs = Takes<'refuseCalls'>['as'];
/** Instead of an append's reply: nothing, a clean end of its call, a cut connection, an error. */
export type LoseBy = Takes<'loseAppends'>['by'];

export const STATE = Type.Object({
  /** Appends that were carried out, repetitions and conflicts included; messages are what readers were sent. */
  counts: Type.Object({ appends: Total, reads: Total, subscriptions: Total, messages: Total }),
  open: Type.Object({ subscription: Count, read: Count, batch: Count, connection: Count }),
  /** Events in the log, the system's own included. */
  events: Total,
});
export type EventStoreDbState = Static<typeof STATE>;

/** How a spec makes the double misbehave; every number answered counts what was hit. */
export type EventStoreDbControl = {
  /** Ends open calls without an error, as a server that shuts down in order does. */
  endCalls(options: Takes<'endCalls'>): Promise<number>;
  /** Resets every connection. */
  dropConnections(): Promise<number>;
  /** Answers come this much later, until it is set to 0. */
  delayReplies(options: Takes<'delayReplies'>): Promise<void>;
  /**
   * Refuses the next `calls` appends, reads, subscriptions and deletions before anything happens.
   * `leader` is whom `not-leader` names; the double itself if missing.
   */
  refuseCalls(options: Takes<'refuseCalls'>): Promise<void>;
  /** The next `appends` are committed or not, and their true answers never come. */
  loseAppends(options: Takes<'loseAppends'>): Promise<void>;
  /** Sends every open subscription a message out of turn. */
  tellSubscribers(options: Takes<'tellSubscribers'>): Promise<number>;
  refuseCredentials(options: Takes<'refuseCredentials'>): Promise<void>;
  /** Live subscriptions stay open and tell nothing more; everything else goes on. */
  withholdEvents(options: Takes<'withholdEvents'>): Promise<void>;
  /** Half-open: connections are accepted and kept, and nothing is answered. */
  hang(options: Takes<'hang'>): Promise<void>;
  /** Ends everything, refuses connections for a while, and comes back with the same data and port. */
  restart(options: Takes<'restart'>): Promise<void>;
  state(): Promise<EventStoreDbState>;
  /** Behaves again. */
  behave(): Promise<void>;
};
