/**
 * The whole suite of the EventStoreDB adapter, against the server in EVENTSTOREDB_TEST_URL, else one
 * in a container where there is an engine for it, else the double; it says which.
 *
 *   npm run test:eventstoredb [-- --double] [-- options of Jest]
 *
 * EVENTSTOREDB_TEST_IMAGE names another image than the last one under the BSD licence.
 */
import { execFile, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const IMAGE_DEFAULT = 'eventstore/eventstore:24.6.0-jammy';
const PORT = 2113;
const START_MS_MAX = 180_000;
const ENGINE_MS_MAX = 10_000;

const root = join(import.meta.dirname, '..');
const options = process.argv.slice(2);

const hasContainerEngine = () =>
  new Promise((resolve) => {
    execFile('docker', ['info'], { timeout: ENGINE_MS_MAX }, (error) => resolve(error === null));
  });

async function startContainer(image) {
  const require = createRequire(join(root, 'libs/testing/package.json'));
  const { GenericContainer, Wait } = await import(require.resolve('testcontainers'));
  const container = await new GenericContainer(image)
    .withEnvironment({
      EVENTSTORE_INSECURE: 'true',
      EVENTSTORE_MEM_DB: 'true',
      EVENTSTORE_TELEMETRY_OPTOUT: 'true',
    })
    .withExposedPorts(PORT)
    .withWaitStrategy(Wait.forHttp('/health/live', PORT).forStatusCode(204))
    .withStartupTimeout(START_MS_MAX)
    .start();
  const url = `esdb://${container.getHost()}:${container.getMappedPort(PORT)}?tls=false`;
  return { what: `a container of ${image}`, url, stop: () => container.stop() };
}

async function chooseServer() {
  const given = process.env.EVENTSTOREDB_TEST_URL ?? '';
  if (options[0] === '--double') {
    options.shift();
  } else if (given !== '') {
    // Without the user and the password.
    const [host] = given.replace(/^.*[/@]/, '').split('?');
    return { what: `the given server ${host}`, url: given, stop: async () => undefined };
  } else if (await hasContainerEngine()) {
    return startContainer(process.env.EVENTSTOREDB_TEST_IMAGE ?? IMAGE_DEFAULT);
  }
  return { what: 'the double', url: '', stop: async () => undefined };
}

const server = await chooseServer();
console.log(`EventStoreDB adapter: testing against ${server.what}.`);
const suites = spawn(
  process.execPath,
  [join(root, 'tools/test.mjs'), 'libs/event-store/src/eventstoredb', ...options],
  { cwd: root, stdio: 'inherit', env: { ...process.env, EVENTSTOREDB_TEST_URL: server.url } },
);
const code = await new Promise((resolve) => suites.once('exit', resolve));
await server.stop();
console.log(`EventStoreDB adapter: tested against ${server.what}.`);
process.exitCode = code ?? 1;
