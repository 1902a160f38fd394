import { ConfigError, type Environment as Variables, readConfig } from '@patchtrail/platform';
import { Type } from '@sinclair/typebox';
import { SERVICE_NAMES, type ServiceName } from '../services.js';

const ORIGIN = Type.String({ pattern: '^http://[^/?#@]+/?$' });

const Environment = Type.Object({
  /** Where the replicas of each service are: every address of the host name is one. */
  DISCOVERY_URL: ORIGIN,
  PRIORITIZATION_URL: ORIGIN,
  APPROVAL_URL: ORIGIN,
  DEPLOYMENT_URL: ORIGIN,
  REPORTING_URL: ORIGIN,
  PATCHTRAIL_INSTANCE: Type.String({ pattern: '^[a-z0-9.-]{1,63}$', default: 'front-door' }),
  PATCHTRAIL_HOST: Type.String({ pattern: '^[A-Za-z0-9.:-]{1,253}$', default: '127.0.0.1' }),
  PATCHTRAIL_PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 8080 }),
});

const URL_VARIABLES = {
  discovery: 'DISCOVERY_URL',
  prioritization: 'PRIORITIZATION_URL',
  approval: 'APPROVAL_URL',
  deployment: 'DEPLOYMENT_URL',
  reporting: 'REPORTING_URL',
} as const satisfies Record<ServiceName, keyof typeof Environment.properties>;

export type FrontDoorConfig = Readonly<{
  instance: string;
  host: string;
  /** 0 takes a free one. */
  port: number;
  urls: ReadonlyMap<ServiceName, URL>;
}>;

/** @throws ConfigError naming each variable and the rule it breaks */
export function frontDoorConfig(env: Variables = process.env): FrontDoorConfig {
  // The image sets it for every process.
  const read = readConfig(env, Environment, { others: ['PATCHTRAIL_DATA_DIR'] });
  return Object.freeze({
    instance: read.PATCHTRAIL_INSTANCE,
    host: read.PATCHTRAIL_HOST,
    port: read.PATCHTRAIL_PORT,
    urls: new Map(
      SERVICE_NAMES.map((name) => {
        const variable = URL_VARIABLES[name];
        const url = URL.parse(read[variable]);
        if (url === null) throw new ConfigError([{ variable, rule: 'must be a valid URL' }]);
        return [name, url] as const;
      }),
    ),
  });
}
