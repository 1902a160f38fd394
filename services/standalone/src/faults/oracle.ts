/** What was seen of a run, by whoever looked. The oracle knows nothing else. */
export type Observations = Readonly<{
  commands: readonly Readonly<{
    mark: string;
    outcome: 'acknowledged' | 'refused' | 'unknown';
  }>[];
  /** What is kept of commands: one entry for each place where a mark was found. */
  records: readonly Readonly<{ mark: string; place: string }>[];
  /** All that the event store holds, in the order of its positions. */
  events: readonly StoredFact[];
  /** All that the bus holds, a partition after the other, each in its order. */
  messages: readonly BusFact[];
  /** Topics whose messages are events of streams and nothing else. */
  streamTopics: readonly string[];
  /** What rows were written, and which of them the bus speaks of. */
  announcements: readonly Followed[];
  consumers: readonly ConsumerFact[];
  /** Each effect as often as it is there, by the message or event that it follows from. */
  effects: readonly Followed[];
  /** The tables of projections, and whether a rebuild gave other rows. */
  projections: readonly Readonly<{ name: string; table: string; differed: boolean }>[];
  /** What was written, or could be, under a lease that fences; `at` is the database's clock. */
  writes: readonly Readonly<{ lease: string; epoch: number; at: bigint }>[];
  /** What stands still until somebody acts. */
  parked: readonly Readonly<{ what: string; cause: string }>[];
  /** Once nothing was sent any more. */
  lags: readonly Readonly<{ what: string; lag: number }>[];
}>;

/** What must have come of something, and what has. */
export type Followed = Readonly<{
  of: string;
  expected: readonly string[];
  found: readonly string[];
}>;

export type StoredFact = Readonly<{
  stream: string;
  revision: number;
  id: string;
  type: string;
  commandId: string;
  /** Of its data. */
  digest: string;
}>;

export type BusFact = Readonly<{
  topic: string;
  partition: number;
  offset: number;
  key: string;
  source: string;
  id: string;
  type: string;
  sequence: bigint;
}>;

export type ConsumerFact = Readonly<{
  group: string;
  topics: readonly string[];
  /** What it acts on; `null` for everything. */
  types: readonly string[] | null;
  /** In the order in which the messages were consumed. */
  inbox: readonly Readonly<{ source: string; id: string }>[];
}>;

export type Rule = Readonly<{
  name: string;
  /** What is wrong, one sentence for each fault; empty where the rule holds. */
  faults: (seen: Observations) => readonly string[];
}>;

/** What the product promises, each rule by itself. */
export const RULES: readonly Rule[] = [
  { name: 'acknowledged-once', faults: acknowledgedOnce },
  { name: 'refused-nothing', faults: refusedNothing },
  { name: 'no-event-twice', faults: noEventTwice },
  { name: 'published', faults: published },
  { name: 'seen-by-all', faults: seenByAll },
  { name: 'acted-once', faults: actedOnce },
  { name: 'in-order', faults: inOrder },
  { name: 'equals-rebuild', faults: equalsRebuild },
  { name: 'epochs-rise', faults: epochsRise },
  { name: 'nothing-parked', faults: nothingParked },
  { name: 'caught-up', faults: caughtUp },
];

/** By the name of the rule, the faults of those that are broken. */
export function judge(seen: Observations): ReadonlyMap<string, readonly string[]> {
  const broken = RULES.map(({ name, faults }) => [name, faults(seen)] as const);
  return new Map(broken.filter(([, faults]) => faults.length > 0));
}

/** Whatever was acknowledged is there exactly once; what nobody answered for, at most once. */
function acknowledgedOnce({ commands, records }: Observations): readonly string[] {
  const found = countsOf(records.map(({ mark }) => mark));
  return commands.flatMap(({ mark, outcome }) => {
    const count = found.get(mark) ?? 0;
    if (count > 1) return [`${mark} was ${outcome} and is there ${String(count)} times`];
    return outcome === 'acknowledged' && count === 0
      ? [`${mark} was acknowledged and is lost`]
      : [];
  });
}

function refusedNothing({ commands, records }: Observations): readonly string[] {
  const found = new Map(records.map(({ mark, place }) => [mark, place]));
  return commands.flatMap(({ mark, outcome }) => {
    const place = found.get(mark);
    return outcome === 'refused' && place !== undefined
      ? [`${mark} was refused and is at ${place}`]
      : [];
  });
}

/** Revisions without a gap, ids that differ, and no command that has said the same twice. */
function noEventTwice({ events }: Observations): readonly string[] {
  const faults: string[] = [];
  const next = new Map<string, number>();
  for (const { stream, revision } of events) {
    const expected = next.get(stream) ?? 0;
    if (revision !== expected)
      faults.push(`${stream} has ${String(revision)} after ${String(expected - 1)}`);
    next.set(stream, revision + 1);
  }
  const ids = repeated(events.map(({ id }) => id));
  const said = repeated(
    events.map(({ stream, commandId, type, digest }) =>
      [stream, commandId, type, digest].join(' '),
    ),
  );
  return [
    ...faults,
    ...ids.map((id) => `event ${id} is stored twice`),
    ...said.map((what) => `a command has said the same twice: ${what}`),
  ];
}

/**
 * Of a type of event that is published at all, every event is; nothing is published that is not in
 * a stream; and what the rows have to say is said.
 */
function published({
  events,
  messages,
  streamTopics,
  announcements,
}: Observations): readonly string[] {
  const sent = new Set(messages.map(({ id }) => id));
  const stored = new Set(events.map(({ id }) => id));
  const publishedKinds = new Set(events.filter(({ id }) => sent.has(id)).map(kindOf));
  const unsent = events.filter((event) => publishedKinds.has(kindOf(event)) && !sent.has(event.id));
  const invented = messages.filter(
    ({ topic, id }) => streamTopics.includes(topic) && !stored.has(id),
  );
  return [
    ...unsent.map(
      ({ type, stream, revision }) => `${type} at ${stream}@${String(revision)} is not on the bus`,
    ),
    ...invented.map(({ topic, id }) => `${id} is on ${topic} and in no stream`),
    ...announcements.flatMap(({ of, expected, found }) => [
      ...without(expected, found).map((one) => `${of}: the bus does not speak of ${one}`),
      ...without(found, expected).map(
        (one) => `${of}: the bus speaks of ${one}, which is not there`,
      ),
    ]),
  ];
}

function kindOf({ stream, type }: StoredFact): string {
  return `${stream.slice(0, stream.indexOf('-'))}/${type}`;
}

function seenByAll({ consumers, messages }: Observations): readonly string[] {
  return consumers.flatMap(({ group, topics, types, inbox }) => {
    const seen = new Set(inbox.map(nameOf));
    const wanted = messages.filter(
      ({ topic, type }) => topics.includes(topic) && (types?.includes(type) ?? true),
    );
    const missed = new Set(wanted.map(nameOf).filter((name) => !seen.has(name)));
    const sent = new Set(wanted.map(nameOf));
    const invented = [...seen].filter((name) => !sent.has(name));
    return [
      ...[...missed].map((name) => `${group} has not seen ${name}`),
      ...invented.map((name) => `${group} has seen ${name}, which is not on the bus`),
      ...repeated(inbox.map(nameOf)).map((name) => `${group} has ${name} in its inbox twice`),
    ];
  });
}

function actedOnce({ effects }: Observations): readonly string[] {
  return effects.flatMap(({ of, expected, found }) => [
    ...without(expected, found).map((one) => `${of}: ${one} has no effect`),
    ...without(found, expected).map((one) => `${of}: ${one} has no cause`),
    ...repeated(found).map((one) => `${of}: ${one} has its effect twice`),
  ]);
}

/**
 * Messages of one key and source come first in the order of their numbers, and each group consumed
 * them in that order. Duplicates may come later.
 */
function inOrder({ messages, consumers }: Observations): readonly string[] {
  const first = new Map<string, BusFact>();
  for (const message of messages) {
    if (!first.has(nameOf(message))) first.set(nameOf(message), message);
  }
  const lines = [
    ...linesOf('the bus', [...first.values()]),
    ...consumers.flatMap(({ group, inbox }) =>
      linesOf(
        group,
        inbox.flatMap((one) => first.get(nameOf(one)) ?? []),
      ),
    ),
  ];
  return lines.flatMap(({ who, numbers }) => {
    const at = numbers.findIndex((number, index) => number < (numbers[index - 1] ?? number));
    return at === -1 ? [] : [`${who} has ${String(numbers[at])} after ${String(numbers[at - 1])}`];
  });
}

/** Numbers of one topic, source and key, in the order in which somebody saw them. */
function linesOf(who: string, messages: readonly BusFact[]) {
  const lines = new Map<string, bigint[]>();
  for (const { topic, source, key, type, sequence } of messages) {
    // A rollout numbers what its parts say apart from what it says itself.
    const part = type.includes('OutcomesRecorded') ? ' outcomes' : '';
    const line = `${topic} of ${source} for ${key}${part}`;
    lines.set(line, [...(lines.get(line) ?? []), sequence]);
  }
  return [...lines].map(([line, numbers]) => ({ who: `${who}, ${line},`, numbers }));
}

function equalsRebuild({ projections }: Observations): readonly string[] {
  return projections
    .filter(({ differed }) => differed)
    .map(({ name, table }) => `${name}: a rebuild of ${table} gives other rows`);
}

function epochsRise({ writes }: Observations): readonly string[] {
  const newest = new Map<string, number>();
  const faults: string[] = [];
  for (const { lease, epoch } of writes.toSorted((a, b) => Number(a.at - b.at))) {
    const known = newest.get(lease) ?? 0;
    if (epoch < known) faults.push(`${lease} wrote under ${String(epoch)} after ${String(known)}`);
    newest.set(lease, Math.max(known, epoch));
  }
  return faults;
}

function nothingParked({ parked }: Observations): readonly string[] {
  return parked.map(({ what, cause }) => `${what} is parked: ${cause}`);
}

function caughtUp({ lags }: Observations): readonly string[] {
  return lags
    .filter(({ lag }) => lag !== 0)
    .map(({ what, lag }) => `${what} is ${String(lag)} behind`);
}

function nameOf({ source, id }: Readonly<{ source: string; id: string }>): string {
  return `${source} ${id}`;
}

/** Those of the first that are not among the second, each once. */
function without(items: readonly string[], others: readonly string[]): readonly string[] {
  const known = new Set(others);
  return [...new Set(items)].filter((item) => !known.has(item));
}

function countsOf(items: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

function repeated(items: readonly string[]): readonly string[] {
  return [...countsOf(items)].filter(([, count]) => count > 1).map(([item]) => item);
}
