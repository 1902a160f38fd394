import { kafkaVersion } from '@patchtrail/messaging/kafka-broker';
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';

type Container = Readonly<{ brokers: readonly string[]; stop: () => Promise<void> }>;

const ENGINE_MS_MAX = 10_000;
const INSIDE = 9092;

/** Why there are no containers here; `null` if there are. */
export async function missingForContainers(): Promise<string | null> {
  return new Promise((resolve) => {
    execFile('docker', ['info'], { timeout: ENGINE_MS_MAX }, (error) => {
      resolve(error === null ? null : 'this host has no container engine');
    });
  });
}

/** The official image; Testcontainers removes it, also when this process is killed. */
export async function startKafkaContainer(): Promise<Container> {
  const { GenericContainer, Wait } = await import('testcontainers');
  // What a broker advertises is where clients go, so its port outside must be known before.
  const port = await freePort();
  const container = await new GenericContainer(`apache/kafka:${await kafkaVersion()}`)
    .withExposedPorts({ container: INSIDE, host: port })
    .withEnvironment(environment(port))
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .start();
  return {
    brokers: [`${container.getHost()}:${port}`],
    stop: async () => {
      await container.stop();
    },
  };
}

function environment(port: number): Record<string, string> {
  return {
    KAFKA_NODE_ID: '1',
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_LISTENERS: `PLAINTEXT://0.0.0.0:${INSIDE},CONTROLLER://0.0.0.0:9093`,
    KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://localhost:${port}`,
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    KAFKA_INTER_BROKER_LISTENER_NAME: 'PLAINTEXT',
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('No TCP port is free.');
  return address.port;
}
