import { parseArgs } from 'node:util';

const PROFILES = ['standalone', 'distributed'] as const;

/** All services in one process, or each in its own with Kafka between them. */
export type Profile = (typeof PROFILES)[number];

export type DemoOptions = Readonly<{
  profile: Profile;
  endpoints: number;
  /** Leaves the work folder of the run in place. */
  keep: boolean;
  json: boolean;
  /** Prints what followed from a vote, over all services. */
  trace: boolean;
  mirror: string | null;
}>;

const ENDPOINTS_MIN = 4;
const ENDPOINTS_MAX = 50;

/** @throws Error naming the option and its rule */
export function demoOptions(args: readonly string[]): DemoOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      profile: { type: 'string', default: 'standalone' },
      endpoints: { type: 'string', default: '6' },
      keep: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      trace: { type: 'boolean', default: false },
      mirror: { type: 'string' },
    },
  });
  const profile = PROFILES.find((name) => name === values.profile);
  if (profile === undefined) throw new Error(`--profile: must be ${PROFILES.join(' or ')}`);
  const endpoints = Number(values.endpoints);
  if (!Number.isInteger(endpoints) || endpoints < ENDPOINTS_MIN || endpoints > ENDPOINTS_MAX) {
    throw new Error(
      `--endpoints: must be a whole number from ${String(ENDPOINTS_MIN)} to ${String(ENDPOINTS_MAX)}`,
    );
  }
  const mirror = values.mirror ?? null;
  if (mirror !== null && !/^https?:\/\/[^\s/]+/.test(mirror)) {
    throw new Error('--mirror: must be an http or https URL of a Debian mirror');
  }
  const { keep, json, trace } = values;
  return { profile, endpoints, keep, json, trace, mirror };
}
