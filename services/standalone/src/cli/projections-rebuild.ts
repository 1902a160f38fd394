import type {
  ProjectionDefinition,
  RebuildProgress,
  Rebuilt,
  RebuiltTable,
} from '@patchtrail/event-store';
import { SERVICE_NAMES, type ServiceName } from '../services.js';
import { type Command, parsed, SUCCEEDED, UsageError } from './command.js';

const TOLD_EVERY_MS = 1_000;

/** Loaded when needed: help needs no service. `null`: its rows are made from no stream. */
const PROJECTIONS: Readonly<Record<ServiceName, (() => Promise<ProjectionDefinition>) | null>> = {
  discovery: null,
  prioritization: null,
  approval: async () => (await import('@patchtrail/approval')).approvalReadModels,
  deployment: async () => (await import('@patchtrail/deployment')).deploymentReadModels,
  reporting: null,
};

const SERVICES = SERVICE_NAMES.filter((name) => PROJECTIONS[name] !== null);

export const projectionsRebuild: Command = {
  name: 'projections rebuild',
  usage: '<service>',
  summary: 'build the rows of a service anew from its events',
  details: `Services: ${SERVICES.join(', ')}.

The rows are built beside those in use and then swapped, while hosts run and append. It
finds databases and event store by the same configuration as a host. It changes nothing
unless it succeeds; killed, it leaves nothing in the way of the next one.`,
  run: async (args) => {
    const { positionals } = parsed(args, {});
    const { service, load } = serviceOf(positionals);
    await rebuild(service, await load());
    return SUCCEEDED;
  },
};

function serviceOf(positionals: readonly string[]) {
  const [given, ...more] = positionals;
  if (given === undefined || more.length > 0) {
    throw new UsageError(`<service>: must be one of ${SERVICES.join(', ')}`);
  }
  const service = SERVICE_NAMES.find((name) => name === given);
  if (service === undefined) {
    throw new UsageError(`<service>: must be one of ${SERVICES.join(', ')}, not "${given}"`);
  }
  const load = PROJECTIONS[service];
  if (load === null) {
    throw new UsageError(
      `<service>: the rows of ${service} are themselves the truth; there are no events that they could be built from`,
    );
  }
  return { service, load };
}

async function rebuild(service: ServiceName, projection: ProjectionDefinition): Promise<void> {
  const [{ createLogger }, { rebuildProjection }, { standaloneConfig }, { openPlaces }] =
    await Promise.all([
      import('@patchtrail/platform'),
      import('@patchtrail/event-store'),
      import('../config.js'),
      import('./places.js'),
    ]);
  const places = await openPlaces(standaloneConfig(), service, createLogger('patchtrail', 'warn'));
  const { signal, dispose } = untilTold();
  const began = performance.now();
  try {
    const { db, eventStore: store } = places;
    const onProgress = progressTo(projection.name, began);
    const rebuilt = await rebuildProjection({ db, store, projection, signal, onProgress });
    process.stdout.write(summaryOf(projection.name, rebuilt, performance.now() - began));
  } finally {
    dispose();
    await places.close();
  }
}

function untilTold() {
  const told = new AbortController();
  const stop = (name: NodeJS.Signals) => {
    told.abort(new Error(`Stopped by ${name}. Nothing has changed.`));
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  return {
    signal: told.signal,
    dispose: () => process.off('SIGINT', stop).off('SIGTERM', stop),
  };
}

function progressTo(name: string, began: number): (progress: RebuildProgress) => void {
  let told = began;
  return (progress) => {
    const now = performance.now();
    if (now - told < TOLD_EVERY_MS) return;
    told = now;
    process.stdout.write(`${name}: ${amountOf(progress, now - began)}\n`);
  };
}

function amountOf({ events, position }: RebuildProgress, ms: number): string {
  const perSecond = Math.round((events * 1_000) / Math.max(ms, 1));
  return `${events} events up to position ${position ?? 'none'}, ${perSecond} events/s`;
}

function summaryOf(name: string, rebuilt: Rebuilt, ms: number): string {
  const seconds = (ms / 1_000).toFixed(1);
  const tables = rebuilt.tables.map((table) => `  ${lineOf(table)}\n`);
  return `${name} was rebuilt in ${seconds} s: ${amountOf(rebuilt, ms)}\n${tables.join('')}`;
}

function lineOf({ name, rows, rowsBefore, differed }: RebuiltTable): string {
  const before = differed ? `there were ${rowsBefore}, and they differed` : 'the same as before';
  return `${name}: ${rows} rows, ${before}`;
}
