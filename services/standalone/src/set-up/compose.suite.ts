import { readFile } from 'node:fs/promises';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { parse } from 'yaml';

const Names = Type.Record(Type.String(), Type.Unknown());

const Service = Type.Object({
  image: Type.String(),
  environment: Type.Optional(Type.Record(Type.String(), Type.String())),
  command: Type.Optional(Type.Array(Type.String())),
  depends_on: Type.Optional(Names),
  networks: Type.Array(Type.String()),
  volumes: Type.Optional(Type.Array(Type.String())),
  ports: Type.Optional(Type.Array(Type.String())),
  build: Type.Optional(Type.Object({ context: Type.String(), dockerfile: Type.String() })),
  deploy: Type.Optional(Type.Object({ replicas: Type.Integer() })),
});

const Compose = Type.Object({
  services: Type.Record(Type.String(), Service),
  networks: Names,
  volumes: Names,
});

export type ComposeService = Static<typeof Service>;

export function inRoot(path: string): URL {
  return new URL(`../../../../${path}`, import.meta.url);
}

export function textOf(path: string): Promise<string> {
  return readFile(inRoot(path), 'utf8');
}

/** As it is written, with merge keys and aliases put in. */
export async function rawCompose(): Promise<unknown> {
  return parse(await textOf('docker-compose.yml'), { merge: true });
}

export async function readCompose(): Promise<Static<typeof Compose>> {
  return Value.Decode(Compose, await rawCompose());
}

/** Those of an image that is built here. */
export async function ownServices(): Promise<ReadonlyMap<string, ComposeService>> {
  const { services } = await readCompose();
  return new Map(Object.entries(services).filter(([, { build }]) => build !== undefined));
}

const VARIABLE = /\$\{([A-Z_]+)(?::\?)\}/g;

export function variablesIn(text: string): readonly string[] {
  return [...new Set([...text.matchAll(VARIABLE)].map(([, name = '']) => name))];
}

/** A service's environment with a value for each `${…:?}`. */
export function environmentOf(
  { environment = {} }: ComposeService,
  valueOf: (variable: string) => string,
): Record<string, string> {
  const filled = Object.entries(environment).map(([name, text]) => {
    return [name, text.replaceAll(VARIABLE, (_, variable: string) => valueOf(variable))] as const;
  });
  return Object.fromEntries(filled);
}
