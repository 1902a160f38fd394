import { randomUUID } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './command.js';
import { cacheFolder } from './config.js';

/** Versions and settings of the broker; at the same depth from sources and from what is built. */
export const DEPLOY_FOLDER = fileURLToPath(
  new URL('../../../../../deploy/kafka/', import.meta.url),
);

const OLDEST_JAVA = 17;
const VERSION_MS_MAX = 20_000;
const DOWNLOAD_MS_MAX = 300_000;
const UNFINISHED = '.unfinished-';
const ABANDONED_AFTER_MS = 30 * 60_000;

/** Why this host cannot run a broker of its own; `null` if it can. */
export async function missingForKafka(): Promise<string | null> {
  const java = await run('java', ['-version'], VERSION_MS_MAX);
  if (!java.ok) return 'a Kafka broker needs Java 17 or newer (java is not on the PATH)';
  const major = /version "(?<major>\d+)/.exec(java.output)?.groups?.['major'];
  if (major !== undefined && Number(major) < OLDEST_JAVA) {
    return `a Kafka broker needs Java 17 or newer, and java is version ${major}`;
  }
  if (await exists(await artifactsFolder())) return null;
  const maven = await run('mvn', ['--version'], VERSION_MS_MAX);
  return maven.ok ? null : 'Maven (mvn) fetches the Kafka broker once, and is not on the PATH';
}

/** The version that `deploy/kafka/pom.xml` names. */
export async function kafkaVersion(): Promise<string> {
  const pom = await readFile(join(DEPLOY_FOLDER, 'pom.xml'), 'utf8');
  const version = /<kafka\.version>(?<version>[\w.-]+)</.exec(pom)?.groups?.['version'];
  if (version === undefined) throw new Error('deploy/kafka/pom.xml names no kafka.version.');
  return version;
}

/**
 * The folder of the broker's jars, fetched once with Maven, which checks their checksums.
 * @throws Error saying what is missing on this host
 */
export async function kafkaArtifacts(): Promise<string> {
  const missing = await missingForKafka();
  if (missing !== null) throw new Error(`Kafka cannot be started: ${missing}.`);
  const folder = await artifactsFolder();
  if (!(await exists(folder))) await fetchArtifacts(folder);
  return folder;
}

async function artifactsFolder(): Promise<string> {
  return join(cacheFolder(), `kafka-${await kafkaVersion()}`);
}

/** Into a folder of another name, so that one under the final name is always complete. */
async function fetchArtifacts(folder: string): Promise<void> {
  await mkdir(cacheFolder(), { recursive: true });
  await removeAbandoned();
  const unfinished = `${folder}${UNFINISHED}${randomUUID()}`;
  try {
    const pom = join(DEPLOY_FOLDER, 'pom.xml');
    const target = [`-DoutputDirectory=${unfinished}`, '-DincludeScope=runtime'];
    const args = ['-q', '-B', '-C', '-f', pom, 'dependency:copy-dependencies', ...target];
    const { ok, output } = await run('mvn', args, DOWNLOAD_MS_MAX);
    if (!ok) throw new Error(`Maven could not fetch the Kafka broker: ${output.slice(-2_000)}`);
    await rename(unfinished, folder);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // A process that started at the same moment may have finished first.
    if (!(await exists(folder))) throw error;
  }
}

async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(cacheFolder())) {
    if (!name.includes(UNFINISHED)) continue;
    const path = join(cacheFolder(), name);
    const found = await stat(path).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
