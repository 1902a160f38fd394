import { type TSchema, Type } from '@sinclair/typebox';
import { SERVICE_NAMES, type ServiceName } from '../services.js';
import { ask } from './ask.js';
import { type Command, parsed, SUCCEEDED, UsageError } from './command.js';
import { type ApiConfig, apiConfig } from './config.js';

const PAGE = 500;
const PAGES_MAX = 20;
const ENVIRONMENT = 'It asks the API at PATCHTRAIL_URL with the access token in PATCHTRAIL_TOKEN.';

const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);

const Item = Type.Object({
  id: Type.String(),
  owner: Type.String(),
  key: Type.String(),
  type: Type.String(),
  code: nullable(Type.String()),
  cause: nullable(Type.String()),
  tries: Type.Integer(),
  parkedAt: Type.String(),
});
const List = Type.Object({
  data: Type.Object({ items: Type.Array(Item), nextPageToken: nullable(Type.String()) }),
});
const Replay = Type.Object({
  key: Type.String(),
  owner: Type.String(),
  replayed: Type.Integer(),
  waiting: Type.Integer(),
});

export const messagesParked: Command = {
  name: 'messages parked',
  usage: '[service]',
  summary: 'list what stands still, and why',
  details: `${ENVIRONMENT}

Each line: service, id, who could not go on, key, type, tries, since when, and the cause of the
first of a key; what only waits behind it has none. At most ${PAGE * PAGES_MAX} of a service.`,
  run: async (args) => {
    const { positionals } = parsed(args, {});
    if (positionals.length > 1) throw new UsageError('[service]: at most one');
    const services = positionals[0] === undefined ? SERVICE_NAMES : [serviceOf(positionals[0])];
    const config = apiConfig();
    for (const service of services) await list(config, service);
    return SUCCEEDED;
  },
};

export const messagesReplay: Command = {
  name: 'messages replay',
  usage: '<service> <id> --remark <text>',
  summary: 'do again what stands still with a key',
  details: `${ENVIRONMENT}

Everything of the key of <id> is done again in its order. What fails again stays where it is,
with what is behind it. The remark says why it should work now; it is kept with who asked.`,
  run: async (args) => {
    const { positionals, values } = parsed(args, { remark: { type: 'string' } });
    const [given = '', id, ...more] = positionals;
    const service = serviceOf(given);
    if (id === undefined || more.length > 0) throw new UsageError('<id>: must be one id');
    const { remark } = values;
    if (remark === undefined || remark === '') {
      throw new UsageError('--remark: must say why it should work now');
    }
    const path = `/v1/${service}/parked-messages/${encodeURIComponent(id)}/replays`;
    const { owner, key, replayed, waiting } = await ask(apiConfig(), path, Replay, { remark });
    const rest = waiting === 0 ? '' : `; ${waiting} wait for the relay`;
    process.stdout.write(`${owner}: ${replayed} of key ${key} replayed${rest}\n`);
    return SUCCEEDED;
  },
};

function serviceOf(given: string): ServiceName {
  const service = SERVICE_NAMES.find((name) => name === given);
  if (service !== undefined) return service;
  throw new UsageError(`<service>: must be one of ${SERVICE_NAMES.join(', ')}, not "${given}"`);
}

async function list(config: ApiConfig, service: ServiceName): Promise<void> {
  let token: string | null = null;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const query = new URLSearchParams({ page_size: String(PAGE) });
    if (token !== null) query.set('page_token', token);
    const path = `/v1/${service}/parked-messages?${query.toString()}`;
    const { data } = await ask(config, path, List);
    for (const { id, owner, key, type, tries, parkedAt, code, cause } of data.items) {
      const why =
        code === null || cause === null ? 'waits behind it' : `${code}: ${oneLine(cause)}`;
      const line = [service, id, owner, key, type, `${tries} tries`, parkedAt, why].join('  ');
      process.stdout.write(`${line}\n`);
    }
    token = data.nextPageToken;
    if (token === null) return;
  }
}

/** A cause may hold what others sent: no line of it may look like one of ours. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
}
