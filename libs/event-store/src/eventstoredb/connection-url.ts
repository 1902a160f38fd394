import { readFileSync } from 'node:fs';

/** How to reach the server, taken from its URL. Holds secrets: never log it as a whole. */
export type Connection = Readonly<{
  hosts: readonly Readonly<{ address: string; port: number }>[];
  /** Find the nodes of the cluster by the name given, or by asking the hosts given. */
  discover: boolean;
  tls: boolean;
  credentials: Readonly<{ username: string; password: string }> | null;
  certificates: Readonly<{ rootCertificate?: Buffer; userCertFile?: Buffer; userKeyFile?: Buffer }>;
  settings: Readonly<{
    connectionName?: string;
    keepAliveInterval?: number;
    keepAliveTimeout?: number;
    maxDiscoverAttempts?: number;
    discoveryInterval?: number;
    gossipTimeout?: number;
  }>;
}>;

const URL_SHAPE = /^(esdb|esdb\+discover):\/\/(?:([^@/?#]*)@)?([^@/?#]+)\/?(?:\?([^#]*))?$/;
const HOST = /^([\w.-]+|\[[\da-fA-F:.]+\])(?::(\d{1,5}))?$/;
const PORT_DEFAULT = 2113;
const NUMBERS = [
  'keepAliveInterval',
  'keepAliveTimeout',
  'maxDiscoverAttempts',
  'discoveryInterval',
  'gossipTimeout',
] as const;
const FILES = ['tlsCaFile', 'userCertFile', 'userKeyFile'] as const;
const OTHERS = ['tls', 'tlsVerifyCert', 'nodePreference', 'connectionName'] as const;
const OPTIONS = [...NUMBERS, ...FILES, ...OTHERS];

type Option = (typeof OPTIONS)[number];
type Options = ReadonlyMap<Option, string>;

/** A URL that cannot be used. It names the part and its rule, and never repeats the URL. */
export class InvalidConnectionUrl extends Error {
  constructor(part: string, rule: string) {
    super(`URL of EventStoreDB: ${part} ${rule}`);
    this.name = 'InvalidConnectionUrl';
  }
}

/**
 * Reads `esdb://user:password@host:2113,host:2113?tls=true&tlsCaFile=…`. Unknown options are
 * refused: a misspelt one would silently do nothing.
 * @throws InvalidConnectionUrl
 */
export function parseConnectionUrl(url: string): Connection {
  const [, scheme, user, hostList = '', query = ''] = URL_SHAPE.exec(url) ?? [];
  if (scheme === undefined) {
    throw new InvalidConnectionUrl(
      'it',
      'must be esdb://[user:password@]host[:port][,…][?option=…]',
    );
  }
  const options = optionsIn(query);
  checkOptions(options);
  const hosts = hostList.split(',').map(hostFrom);
  const discover = scheme === 'esdb+discover';
  if (discover && hosts.length > 1) {
    throw new InvalidConnectionUrl('esdb+discover', 'takes one name, which stands for the cluster');
  }
  return {
    hosts,
    discover,
    tls: flag(options, 'tls', true),
    credentials: user === undefined ? null : credentialsFrom(user),
    certificates: certificatesFrom(options),
    settings: settingsFrom(options),
  };
}

function checkOptions(options: Options): void {
  if (!flag(options, 'tlsVerifyCert', true)) {
    throw new InvalidConnectionUrl(
      'tlsVerifyCert',
      'must be true: name the authority in tlsCaFile',
    );
  }
  // What was just written must be readable, so every call goes to the leader.
  if ((options.get('nodePreference') ?? 'leader') !== 'leader') {
    throw new InvalidConnectionUrl('nodePreference', 'must be leader');
  }
}

function optionsIn(query: string): Options {
  const found = new Map<Option, string>();
  for (const pair of query === '' ? [] : query.split('&')) {
    const [name = '', value = ''] = pair.split('=', 2);
    const option = OPTIONS.find((known) => known.toLowerCase() === name.toLowerCase());
    if (option === undefined) {
      throw new InvalidConnectionUrl(`option ${name.slice(0, 40)}`, 'is not known');
    }
    found.set(option, decoded(option, value));
  }
  return found;
}

function hostFrom(text: string): Connection['hosts'][number] {
  const [, address = '', port] = HOST.exec(text) ?? [];
  const number = port === undefined ? PORT_DEFAULT : Number(port);
  if (address === '' || number < 1 || number > 65_535) {
    throw new InvalidConnectionUrl(
      'each host',
      'must be a name or address, with :port if not 2113',
    );
  }
  return { address, port: number };
}

function credentialsFrom(text: string): Connection['credentials'] {
  const [username = '', password = '', ...rest] = text.split(':');
  if (username === '' || password === '' || rest.length > 0) {
    throw new InvalidConnectionUrl('the user', 'must be user:password, percent-encoded');
  }
  return {
    username: decoded('the user', username),
    password: decoded('the password', password),
  };
}

function decoded(part: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new InvalidConnectionUrl(part, 'must be percent-encoded');
  }
}

function flag(options: Options, name: Option, otherwise: boolean): boolean {
  const value = options.get(name) ?? String(otherwise);
  if (value !== 'true' && value !== 'false') {
    throw new InvalidConnectionUrl(name, 'must be true or false');
  }
  return value === 'true';
}

function settingsFrom(options: Options): Connection['settings'] {
  const numbers = NUMBERS.flatMap((name) => {
    const value = options.get(name);
    if (value === undefined) return [];
    if (!/^\d{1,7}$/.test(value)) {
      throw new InvalidConnectionUrl(name, 'must be a whole number');
    }
    return [[name, Number(value)] as const];
  });
  const connectionName = options.get('connectionName');
  return {
    ...Object.fromEntries(numbers),
    ...(connectionName === undefined ? {} : { connectionName }),
  };
}

function certificatesFrom(options: Options): Connection['certificates'] {
  const [rootCertificate, userCertFile, userKeyFile] = FILES.map((name) => {
    const path = options.get(name);
    return path === undefined ? undefined : contentOf(name, path);
  });
  if ((userCertFile === undefined) !== (userKeyFile === undefined)) {
    throw new InvalidConnectionUrl('userCertFile and userKeyFile', 'must be given together');
  }
  return {
    ...(rootCertificate === undefined ? {} : { rootCertificate }),
    ...(userCertFile === undefined ? {} : { userCertFile }),
    ...(userKeyFile === undefined ? {} : { userKeyFile }),
  };
}

function contentOf(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    throw new InvalidConnectionUrl(option, `must be a file that can be read: ${path}`);
  }
}
