import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { untilSignal } from '@patchtrail/platform';
import { startCollector } from '@patchtrail/telemetry/collector';
import { judge } from './checks.js';
import { chrootFleet } from './chroot-fleet.js';
import { findDebianHost, type Hindrance } from './debian-host.js';
import type { Fleet } from './fleet.js';
import { runFlow } from './flow.js';
import { childEnvironment, inPrivateMounts } from './config.js';
import type { Check } from './observations.js';
import { type DemoOptions, demoOptions, type Profile } from './options.js';
import { type Product, startProduct } from './product.js';
import { simulatedFleet } from './simulated-fleet.js';
import { startStopwatch, type Stopwatch } from './stopwatch.js';
import { printVote } from './trace.js';

type Result = Readonly<{
  profile: Profile;
  bus: string;
  eventStore: string;
  mode: Fleet['mode'];
  timingsMs: Readonly<Record<string, number>>;
  checks: readonly Check[];
  /** Lines of a tree, where it was asked for. */
  trace?: readonly string[];
}>;

/** The main job on a profile of the product; exit status 0 only if every check held. */
export async function runDemo(args: readonly string[]): Promise<void> {
  try {
    const options = demoOptions(args);
    const found = await findDebianHost(options.mirror);
    if ('host' in found && !inPrivateMounts()) {
      process.exitCode = await againWithPrivateMounts(args);
      return;
    }
    if ('hindrance' in found) announce(found.hindrance);
    const result = await performTraced(options, (workDir, progress) => {
      const fleetOptions = { ...options, workDir, progress };
      return 'host' in found ? chrootFleet(found.host, fleetOptions) : simulatedFleet(fleetOptions);
    });
    report(result, options);
    process.exitCode = result.checks.every(({ ok }) => ok) ? 0 : 1;
  } catch (error) {
    process.stderr.write(
      `The demo failed: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    process.exitCode = 1;
  }
}

function announce({ reason, remedy }: Hindrance): void {
  process.stderr.write(`Simulated endpoints, for ${reason}. For real apt in chroots: ${remedy}\n`);
}

/** Mounts made from here on are seen by this process tree alone and go with it. */
async function againWithPrivateMounts(args: readonly string[]): Promise<number> {
  const self = process.argv[1] ?? '';
  const child = spawn(
    'unshare',
    ['--mount', '--propagation', 'private', process.execPath, self, ...args],
    { stdio: 'inherit', env: childEnvironment({ PATCHTRAIL_DEMO_MOUNTS: 'private' }) },
  );
  // A terminal sends SIGINT to both; sent again it would cut the child's cleaning up short.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

type CreateFleet = (workDir: string, progress: (line: string) => void) => Promise<Fleet>;

/** The last spans arrive when the product has stopped. */
async function performTraced(options: DemoOptions, createFleet: CreateFleet): Promise<Result> {
  if (!options.trace) return perform(options, createFleet, {});
  const collector = await startCollector();
  try {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
    const result = await perform(options, createFleet, env);
    return { ...result, trace: printVote(collector.spans()) };
  } finally {
    await collector.close();
  }
}

async function perform(
  options: DemoOptions,
  createFleet: CreateFleet,
  env: Readonly<Record<string, string>>,
): Promise<Result> {
  const stopwatch = startStopwatch();
  const progress = (line: string) => {
    const seconds = String(Math.round(stopwatch.read()['total'] ?? 0) / 1_000);
    process.stderr.write(`${seconds.padStart(8)} s  ${line}\n`);
  };
  const workDir = await mkdtemp(join(tmpdir(), 'patchtrail-demo-'));
  const interrupted = untilSignal().then((signal) =>
    Promise.reject(new Error(`ended by ${signal}`)),
  );
  // Whoever waits next sees the interruption; until then it is not an unhandled rejection.
  interrupted.catch(() => undefined);
  let fleet: Fleet | null = null;
  let product: Product | null = null;
  let held = false;
  try {
    fleet = await createFleet(workDir, progress);
    if (fleet.upgrades.length < 3) {
      progress(`only ${String(fleet.upgrades.length)} security upgrades are on offer today`);
    }
    stopwatch.lap('fleet');
    product = await Promise.race([startProduct(options.profile, workDir, env), interrupted]);
    progress(`Patchtrail is ready at ${product.url}: ${describe(product)}`);
    stopwatch.lap('start');
    const flow = observeFlow(fleet, product, progress, stopwatch);
    const result = await Promise.race([flow, interrupted]);
    held = result.checks.every(({ ok }) => ok);
    return result;
  } finally {
    const ends = await Promise.allSettled([fleet?.close(), product?.stop()]);
    for (const end of ends) if (end.status === 'rejected') progress(String(end.reason));
    if (held && !options.keep) await rm(workDir, { recursive: true, force: true });
    else progress(`kept, with the logs: ${workDir}`);
  }
}

async function observeFlow(
  fleet: Fleet,
  product: Product,
  progress: (line: string) => void,
  stopwatch: Stopwatch,
): Promise<Result> {
  const people = {
    // pat may approve in general, which is what makes the refused vote on pat's own request telling.
    pat: await product.as({ name: 'pat', roles: ['platform-engineer', 'approver'] }),
    ana: await product.as({ name: 'ana', roles: ['approver'] }),
    bo: await product.as({ name: 'bo', roles: ['approver'] }),
    aud: await product.as({ name: 'aud', roles: ['auditor'] }),
  };
  const seen = await runFlow({ fleet, product, people, progress, stopwatch });
  const { profile, bus, eventStore } = product;
  const subject = { profile, bus, eventStore, mode: fleet.mode };
  return { ...subject, timingsMs: stopwatch.read(), checks: judge(seen) };
}

function describe({ profile, bus, eventStore }: Pick<Result, 'profile' | 'bus' | 'eventStore'>) {
  return `${profile} profile, bus in ${bus}, event store in ${eventStore}`;
}

function report(result: Result, { json }: DemoOptions): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    return;
  }
  for (const line of result.trace ?? []) process.stdout.write(`${line}\n`);
  for (const { name, ok, detail } of result.checks) {
    process.stdout.write(`${ok ? 'ok  ' : 'FAIL'}  ${name}: ${detail}\n`);
  }
  const held = result.checks.filter(({ ok }) => ok).length;
  const seconds = Math.round((result.timingsMs['total'] ?? 0) / 1_000);
  process.stdout.write(
    `${String(held)} of ${String(result.checks.length)} checks held, ${describe(result)}, ${result.mode} endpoints, ${String(seconds)} s\n`,
  );
}
