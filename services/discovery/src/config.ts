import { type Environment, readConfig } from '@patchtrail/platform';
import { Type } from '@sinclair/typebox';

const Variables = Type.Object({
  /** Between two looks at an admitted source. */
  DISCOVERY_SYNC_INTERVAL_MS: Type.Integer({
    minimum: 1_000,
    maximum: 604_800_000,
    default: 3_600_000,
  }),
  /** Between two looks for work. */
  DISCOVERY_POLL_MS: Type.Integer({ minimum: 10, maximum: 60_000, default: 250 }),
  /** Without an inventory for longer, how an endpoint stands to any patch is unknown. */
  DISCOVERY_STALE_AFTER_MS: Type.Integer({
    minimum: 1_000,
    maximum: 31_536_000_000,
    default: 259_200_000,
  }),
});

export type DiscoveryConfig = Readonly<{
  syncIntervalMs: number;
  pollMs: number;
  staleAfterMs: number;
}>;

/** @throws ConfigError naming variables and rules */
export function readDiscoveryConfig(env: Environment = process.env): DiscoveryConfig {
  const others = Object.keys(env);
  const read = readConfig(env, Variables, { others });
  return {
    syncIntervalMs: read.DISCOVERY_SYNC_INTERVAL_MS,
    pollMs: read.DISCOVERY_POLL_MS,
    staleAfterMs: read.DISCOVERY_STALE_AFTER_MS,
  };
}
