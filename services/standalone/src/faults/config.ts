import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';

export type BusKind = 'postgres' | 'kafka';

export type FaultsConfig = Readonly<{
  seed: number;
  /** At least this many processes are killed, over all buses. */
  kills: number;
  buses: readonly BusKind[];
  /** Whether hosts that are wrong on purpose must be seen to be. */
  hasMutants: boolean;
  /** A bus that cannot be had here is a failure. */
  isComplete: boolean;
  /** Whether what the hosts log is shown. */
  isVerbose: boolean;
}>;

const KILLS = 20;
const KILLS_NIGHTLY = 200;
const SEED_MAX = 1_000_000;

/** @throws Error naming the option and its rule */
export function faultsConfig(
  args: readonly string[] = process.argv.slice(2),
  env: Readonly<Record<string, string | undefined>> = process.env,
): FaultsConfig {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      kills: { type: 'string' },
      bus: { type: 'string' },
      mutants: { type: 'boolean' },
      verbose: { type: 'boolean' },
    },
  });
  const isNightly = env['PATCHTRAIL_NIGHTLY'] === 'true';
  const kills = isNightly ? KILLS_NIGHTLY : KILLS;
  return {
    seed: wholeOf('--seed', values.seed, 0) ?? randomInt(SEED_MAX),
    kills: wholeOf('--kills', values.kills, 1) ?? kills,
    buses: busesOf(values.bus),
    hasMutants: values.mutants ?? isNightly,
    isComplete: env['CI'] === 'true',
    isVerbose: values.verbose === true,
  };
}

function wholeOf(option: string, text: string | undefined, min: number): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (/^\d{1,9}$/.test(text) && value >= min) return value;
  throw new Error(`${option}: must be a whole number from ${String(min)} to 999999999`);
}

function busesOf(text: string | undefined): readonly BusKind[] {
  if (text === undefined) return ['kafka', 'postgres'];
  if (text === 'kafka' || text === 'postgres') return [text];
  throw new Error('--bus: must be kafka or postgres');
}

/** The environment of a host: what is the same for all programs, and these. */
export function hostEnvironment(
  more: Readonly<Record<string, string | undefined>>,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Readonly<Record<string, string | undefined>> {
  const shared = Object.entries(env).filter(([name]) =>
    /^(PATH|HOME|LANG|TZ|NODE_\w+)$/.test(name),
  );
  return { ...Object.fromEntries(shared), ...more };
}
