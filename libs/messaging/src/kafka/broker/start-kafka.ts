import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../../log.js';
import { DEPLOY_FOLDER, kafkaArtifacts } from './artifacts.js';
import { run } from './command.js';
import { type Guarded, startGuarded } from './guarded.js';
import { isServing } from './is-serving.js';

const READY_MS_MAX = 90_000;
const FORMAT_MS_MAX = 60_000;
const STOP_MS_MAX = 30_000;
const POLL_MS = 50;
const STARTS_MAX = 3;
const LOG_TAIL_CHARS = 2_000;

const JVM = ['-Xms256m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

export type KafkaOptions = Readonly<{
  /** Its data, kept when it stops. Without one, it has a temporary folder that goes with it. */
  dir?: string;
  /** Free ones unless given; 0 is a free one. */
  ports?: Ports;
  /** `host:port` that clients are sent to, where that is a proxy before the broker. */
  advertised?: string;
  log?: Log;
}>;

export type Ports = Readonly<{ broker: number; controller: number }>;

export type RunningKafka = Readonly<{
  /** `host:port` on the loopback interface. */
  brokers: readonly string[];
  /** Resolves when the broker that runs now has ended, for whatever reason. */
  ended: () => Promise<void>;
  /** Ends it in order. */
  stop: () => Promise<void>;
  /** Ends it at once, as a power cut would; its data stay. */
  kill: () => Promise<void>;
  /** Starts it again on the same port and data, and waits until it serves. */
  restart: () => Promise<void>;
  /** Lets it hang, with its connections open, until `resume`. */
  suspend: () => Promise<void>;
  resume: () => void;
}>;

type Place = Readonly<{
  dir: string;
  isTemporary: boolean;
  ports: Ports;
  advertised: string | undefined;
  jars: string;
}>;

/**
 * A real Kafka of one node, for tests and for trying the distributed profile on one host. It ends
 * with this process, however that ends. Resolves once the broker serves.
 * @throws Error saying what this host lacks, or with the end of the broker's log
 */
export async function startKafka(options: KafkaOptions = {}): Promise<RunningKafka> {
  const jars = await kafkaArtifacts();
  const isTemporary = options.dir === undefined;
  const dir = resolve(options.dir ?? (await mkdtemp(join(tmpdir(), 'patchtrail-kafka-'))));
  await mkdir(dir, { recursive: true });
  try {
    const { place, broker } = await startOnFreePorts(options, { dir, isTemporary, jars });
    options.log?.info({ brokers: addressesOf(place), dir }, 'Kafka is running.');
    return running(place, broker);
  } catch (error) {
    if (isTemporary) await rm(dir, { recursive: true, force: true });
    throw error;
  }
}

/** Another program may take a port between the choice and the start. */
async function startOnFreePorts(
  { ports, advertised }: KafkaOptions,
  folder: Omit<Place, 'ports' | 'advertised'>,
): Promise<{ place: Place; broker: Guarded }> {
  for (let starts = 1; ; starts += 1) {
    const place = { ...folder, advertised, ports: await reserved(ports) };
    await prepare(place);
    try {
      return { place, broker: await start(place) };
    } catch (error) {
      const isTaken = error instanceof Error && error.message.includes('Address already in use');
      if (!isTaken || ports !== undefined || starts >= STARTS_MAX) throw error;
    }
  }
}

function running(place: Place, first: Guarded): RunningKafka {
  let broker = first;
  return {
    brokers: addressesOf(place),
    ended: () => broker.ended,
    stop: async () => {
      await end(broker);
      if (place.isTemporary) await rm(place.dir, { recursive: true, force: true });
    },
    kill: async () => {
      broker.kill('SIGKILL');
      await broker.ended;
    },
    restart: async () => {
      await end(broker);
      broker = await start(place);
    },
    suspend: () => broker.suspend(),
    resume: () => broker.kill('SIGCONT'),
  };
}

async function end(broker: Guarded): Promise<void> {
  broker.kill('SIGCONT');
  broker.kill('SIGTERM');
  await Promise.race([broker.ended, pause(STOP_MS_MAX, undefined, { ref: false })]);
  broker.kill('SIGKILL');
  await broker.ended;
}

/** Settings are written anew, since ports change; the storage is formatted once. */
async function prepare({ dir, ports, advertised, jars }: Place): Promise<void> {
  const fixed = await readFile(join(DEPLOY_FOLDER, 'server.properties'), 'utf8');
  const listener = `PLAINTEXT://127.0.0.1:${String(ports.broker)}`;
  const controller = `127.0.0.1:${String(ports.controller)}`;
  const own = [
    `listeners=${listener},CONTROLLER://${controller}`,
    `advertised.listeners=${advertised === undefined ? listener : `PLAINTEXT://${advertised}`}`,
    `controller.quorum.voters=1@${controller}`,
    `log.dirs=${join(dir, 'data')}`,
  ];
  const file = join(dir, 'server.properties');
  await writeFile(file, `${fixed}${own.join('\n')}\n`);
  if (await stat(join(dir, 'data', 'meta.properties')).catch(() => undefined)) return;
  const clusterId = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url');
  const tool = ['-cp', join(jars, '*'), 'kafka.tools.StorageTool'];
  // In one argument, for it may begin with a dash.
  const args = [...JVM, logging(), ...tool, 'format', `--cluster-id=${clusterId}`, '-c', file];
  const { ok, output } = await run('java', args, FORMAT_MS_MAX);
  if (!ok) throw new Error(`Kafka's storage in ${dir} could not be formatted: ${output}`);
}

async function start(place: Place): Promise<Guarded> {
  const logFile = join(place.dir, 'broker.log');
  const output = await open(logFile, 'a');
  try {
    const main = ['-cp', join(place.jars, '*'), 'kafka.Kafka'];
    const args = [...JVM, logging(), ...main, join(place.dir, 'server.properties')];
    const temporaryFolder = place.isTemporary ? place.dir : null;
    const broker = await startGuarded({ file: 'java', args, output, temporaryFolder });
    await ready(place, broker).catch(async (error: unknown) => {
      broker.kill('SIGKILL');
      await broker.ended;
      throw error;
    });
    return broker;
  } finally {
    await output.close();
  }
}

async function ready(place: Place, broker: Guarded): Promise<void> {
  const deadline = performance.now() + READY_MS_MAX;
  const [address = ''] = addressesOf(place);
  while (!(await isServing(address))) {
    if (broker.hasEnded() || performance.now() >= deadline) {
      const log = await readFile(join(place.dir, 'broker.log'), 'utf8');
      const what = broker.hasEnded() ? 'ended while it started' : 'did not serve in time';
      throw new Error(`Kafka ${what}: ${log.slice(-LOG_TAIL_CHARS)}`);
    }
    await pause(POLL_MS);
  }
}

function logging(): string {
  return `-Dlog4j2.configurationFile=${join(DEPLOY_FOLDER, 'log4j2.properties')}`;
}

function addressesOf({ ports }: Place): readonly string[] {
  return [`127.0.0.1:${String(ports.broker)}`];
}

/** Free ones, or those that are given if they are: another Kafka there would pass for this one. */
async function reserved(ports: Ports = { broker: 0, controller: 0 }): Promise<Ports> {
  const servers = [createServer(), createServer()] as const;
  try {
    const [broker, controller] = await Promise.all([
      portOf(servers[0], ports.broker),
      portOf(servers[1], ports.controller),
    ]);
    return { broker, controller };
  } finally {
    await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  }
}

async function portOf(server: Server, port: number): Promise<number> {
  await new Promise<void>((listening, failed) => {
    server.once('error', (cause) => {
      failed(new Error(`Kafka cannot have port ${String(port)}: ${cause.message}`, { cause }));
    });
    server.listen(port, '127.0.0.1', listening);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No TCP port is free.');
  return address.port;
}
