import type grpc from '@grpc/grpc-js';
import { isObject, type Log, parseJson } from './log.js';

export type User = {
  readonly name: string;
  readonly password: string;
  readonly groups: readonly string[];
};

export type Action = 'read' | 'write' | 'delete';

/** Null: nobody signed in. */
export type Identity = User | null;

export type Access = {
  identify(metadata: grpc.Metadata): Identity | 'refused';
  may(identity: Identity, action: Action, stream: string): boolean;
};

const ADMINS = '$admins';
const EVERYONE = '$all';
const ALL_STREAM = '$all';

const KEYS = { read: '$r', write: '$w', delete: '$d', metadataRead: '$mr', metadataWrite: '$mw' };

/** With `--insecure` a server asks for nothing and ignores credentials. */
export const everythingAllowed: Access = { identify: () => null, may: () => true };

/**
 * Basic credentials and access control lists as a secured server has them by default: anonymous
 * callers may do nothing to streams from 23.10 on (AllowAnonymousStreamAccess, in
 * https://github.com/EventStore/EventStore/blob/oss-v24.6.0/src/EventStore.Core/Configuration/ClusterVNodeOptions.cs),
 * $all and other system streams are for $admins, everybody signed in may use the rest
 * (https://github.com/EventStore/EventStore/blob/oss-v24.6.0/src/EventStore.Core/Data/SystemSettings.cs).
 */
export function createAccess(
  log: Log,
  users: readonly User[],
  anonymousMayUseStreams: boolean,
): Access {
  const byName = new Map(users.map((user) => [user.name, user]));

  return {
    identify: (metadata) => {
      const given = metadata.get('authorization').at(0)?.toString();
      if (given === undefined) return null;
      const basic = /^Basic (.+)$/i.exec(given)?.[1] ?? '';
      const [name = '', ...password] = Buffer.from(basic, 'base64').toString('utf8').split(':');
      const user = byName.get(name);
      return user?.password === password.join(':') ? user : 'refused';
    },
    may: (identity, action, stream) => {
      if (identity === null && !anonymousMayUseStreams) return false;
      if (isForbidden(action, stream)) return false;
      if (identity?.groups.includes(ADMINS) === true) return true;
      const names = new Set([EVERYONE, ...(identity?.groups ?? []), identity?.name]);
      return rolesFor(log, action, stream).some((role) => names.has(role));
    },
  };
}

/** Nobody, not even an administrator, writes to $all or deletes a metadata stream. */
function isForbidden(action: Action, stream: string): boolean {
  return stream === ALL_STREAM ? action !== 'read' : isMetadata(stream) && action === 'delete';
}

function isMetadata(stream: string): boolean {
  return stream.startsWith('$$');
}

/**
 * A stream's own list, else the one in $settings, else the built-in one; each only as far as it
 * names the action. The rules are those of
 * https://github.com/EventStore/EventStore/blob/oss-v24.6.0/src/EventStore.Core/Authorization/LegacyStreamPermissionAssertion.cs
 */
function rolesFor(log: Log, action: Action, name: string): readonly string[] {
  const stream = isMetadata(name) ? name.slice(2) : name;
  const isSystem = stream.startsWith('$');
  const settings = parseJson(log.events('$settings').at(-1)?.data ?? new Uint8Array());
  const lists = [
    log.metadata(stream).acl,
    settings[isSystem ? '$systemStreamAcl' : '$userStreamAcl'],
  ];
  const named = lists.map((list) => rolesIn(list, keyOf(action, name)));
  return named.find((roles) => roles !== null) ?? [isSystem ? ADMINS : EVERYONE];
}

function keyOf(action: Action, name: string): string {
  if (!isMetadata(name)) return KEYS[action];
  return action === 'read' ? KEYS.metadataRead : KEYS.metadataWrite;
}

/** One role or several; null where the list does not name the action. */
function rolesIn(list: unknown, key: string): readonly string[] | null {
  const roles = isObject(list) ? list[key] : undefined;
  if (typeof roles === 'string') return [roles];
  return Array.isArray(roles) ? roles.filter((role) => typeof role === 'string') : null;
}
