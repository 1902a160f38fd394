import {
  Body,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  type Type as ClassOf,
} from '@nestjs/common';
import type { Principal } from '@patchtrail/auth';
import { Count, Instant, literals, nullable } from '@patchtrail/contracts';
import { Type } from '@sinclair/typebox';
import { Api, For } from './access.js';
import { Answers, named, Shows, ShowsList, Summary } from './answers.js';
import { Text } from './fields.js';
import { claim } from './idempotency.js';
import { paged, pageOf, PageQuery } from './paging.js';
import {
  findParked,
  listParked,
  PARKED_KINDS,
  type ParkedItem,
  type ParkedSources,
  placeOf,
  replayItem,
} from './parked-items.js';
import {
  beginReplay,
  endReplay,
  failReplay,
  findReplay,
  latestReplays,
  type ReplayRecord,
} from './parked-replays.js';
import { invalidField, notFound, type Problem, problem } from './problem.js';
import { Caller, Command, type CommandInput } from './request-parts.js';
import { snapshot } from './snapshot.js';

export const PARKED_SOURCES = Symbol('PARKED_SOURCES');

const FILTER = 'parked-messages';
const REPLAYS_SHOWN = 20;
/** A replay that has not ended by then, in milliseconds, ended with its process. */
const REPLAY_MS_MAX = 600_000;

const word = Type.String();
const ITEM = {
  id: word,
  kind: literals(PARKED_KINDS),
  owner: word,
  key: word,
  topic: nullable(word),
  partition: nullable(Count),
  offset: nullable(word),
  revision: nullable(Count),
  messageId: nullable(word),
  type: word,
  code: nullable(word),
  cause: nullable(word),
  tries: Count,
  parkedAt: Instant,
  triedAt: nullable(Instant),
};
const ParkedMessage = named('ParkedMessage', Type.Object(ITEM));
const WholeParkedMessage = named(
  'WholeParkedMessage',
  Type.Object({ ...ITEM, payload: Type.Unknown() }),
);
const ParkedReplay = named(
  'ParkedReplay',
  Type.Object({
    replayId: word,
    itemId: word,
    owner: word,
    key: word,
    askedBy: word,
    remark: word,
    startedAt: Instant,
    endedAt: nullable(Instant),
    replayed: nullable(Count),
    waiting: nullable(Count),
    code: nullable(word),
    cause: nullable(word),
  }),
);

class ReplayBody {
  /** Why it should work now. */
  @Text({ max: 1_000 }) remark!: string;
}

/**
 * What a service has parked, at `v1/<service>/parked-messages`: its module lists the controller and
 * provides `PARKED_SOURCES`. A replay does the whole key of an item again, in its order.
 */
export function parkedMessagesController(service: string): ClassOf {
  @Api(`v1/${service}/parked-messages`)
  class ParkedMessagesController {
    constructor(@Inject(PARKED_SOURCES) private readonly sources: ParkedSources) {}

    @Summary('What stands still until somebody acts.')
    @Get()
    @For('platform-engineer', 'auditor')
    @ShowsList(ParkedMessage, { replays: Type.Array(ParkedReplay) })
    async list(@Query() query: PageQuery) {
      const page = pageOf(query, FILTER);
      const after = page.after === null ? null : placeOf(page.after);
      const rows = await listParked(this.sources, after, page.limit + 1);
      const { items, nextPageToken } = paged(rows, page, FILTER, ({ id }) => id);
      const replays = await latestReplays(this.sources.db, REPLAYS_SHOWN);
      return shown({ items: items.map(itemView), nextPageToken, replays: replays.map(replayView) });
    }

    @Summary('Something that stands still, why, and its content.')
    @Get(':id')
    @For('platform-engineer', 'auditor')
    @Shows(WholeParkedMessage)
    async one(@Param('id') id: string) {
      const { payload, ...item } = await found(this.sources, id);
      return shown({ ...itemView(item), payload });
    }

    @Summary('Try something that stands still again, and what waits behind it.')
    @Post(':id/replays')
    @HttpCode(200)
    @For('platform-engineer')
    @Answers(ParkedReplay)
    async replay(
      @Param('id') id: string,
      @Body() { remark }: ReplayBody,
      @Caller() { id: askedBy }: Principal,
      @Command() { context, idempotency }: CommandInput,
    ) {
      await claim(this.sources.db, idempotency);
      const replayId = context.commandId;
      const record = await replayed(this.sources, { replayId, itemId: id, askedBy, remark });
      if (record.cause !== null) throw stillFailing(record.cause);
      return replayView(record);
    }
  }
  return ParkedMessagesController;
}

type Asked = Pick<ReplayRecord, 'replayId' | 'itemId' | 'askedBy' | 'remark'>;

/** The record of the replay, once it has ended; of an earlier one when the request is repeated. */
async function replayed(sources: ParkedSources, asked: Asked): Promise<ReplayRecord> {
  const { db } = sources;
  const earlier = await findReplay(db, asked.replayId);
  if (earlier !== null && earlier.endedAt !== null) return earlier;
  const item = await begun(sources, asked, earlier);
  try {
    await endReplay(db, asked.replayId, await replayItem(sources, item));
  } catch (error) {
    await failReplay(db, asked.replayId, error);
  }
  const record = await findReplay(db, asked.replayId);
  if (record === null) throw new Error('A replay left no record.');
  return record;
}

async function begun(
  sources: ParkedSources,
  asked: Asked,
  earlier: ReplayRecord | null,
): Promise<Pick<ParkedItem, 'kind' | 'owner' | 'key'>> {
  const inFlight = 'A request with this Idempotency-Key is being processed.';
  if (earlier !== null) {
    const age = Date.now() - earlier.startedAt.getTime();
    if (age < REPLAY_MS_MAX) throw problem('request-in-flight', inFlight);
    return { ...earlier, kind: placeIn(asked.itemId).kind };
  }
  const item = await found(sources, asked.itemId);
  const { owner, key } = item;
  if (await beginReplay(sources.db, { ...asked, owner, key })) return item;
  throw problem('request-in-flight', inFlight);
}

function stillFailing(cause: string): Problem {
  return problem('still-failing', `It failed again and stays parked: ${cause}`);
}

async function found(sources: ParkedSources, id: string) {
  const item = await findParked(sources, placeIn(id));
  if (item === null) throw notFound(`parked message ${id}`);
  return item;
}

function placeIn(id: string) {
  const place = placeOf(id);
  if (place === null) throw invalidField('id', 'must be event-, message- or outbox- and a number');
  return place;
}

function shown<T>(data: T) {
  return snapshot(data, { position: null, lagMs: 0 });
}

function itemView({ parkedAt, triedAt, ...item }: ParkedItem) {
  return {
    ...item,
    parkedAt: parkedAt.toISOString(),
    triedAt: triedAt === null ? null : triedAt.toISOString(),
  };
}

function replayView({ startedAt, endedAt, ...record }: ReplayRecord) {
  return {
    ...record,
    startedAt: startedAt.toISOString(),
    endedAt: endedAt === null ? null : endedAt.toISOString(),
  };
}
