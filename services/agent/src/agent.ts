import { join } from 'node:path';
import { endpointSecretDigest } from '@patchtrail/auth';
import { createAptExecutor } from './adapters/apt/apt-executor.js';
import { openRoot } from './adapters/apt/root.js';
import { openJournal } from './adapters/disk/journal-file.js';
import { openStateDir, type StateDir } from './adapters/disk/state-dir.js';
import { createServerClient, enrolAt } from './adapters/http/server-client.js';
import { createSimulatedExecutor } from './adapters/simulated/simulated-executor.js';
import type { AgentContext, Log } from './application/context.js';
import { runCycle } from './application/cycle.js';
import { enrol } from './application/enrol.js';
import type { Executor } from './application/executor.js';
import { runLoop } from './application/loop.js';
import { AGENT_VERSION, takeInventory } from './application/take-inventory.js';
import { ConfigError } from './config-error.js';
import type { AgentOptions } from './config.js';

/** One JSON object a line on standard error. */
export const logToStderr: Log = (event, fields = {}) => {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), event, ...fields })}\n`);
};

function pauseUntil(signal: AbortSignal): (ms: number) => Promise<void> {
  return (ms) =>
    new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener('abort', end);
      if (signal.aborted) end();
    });
}

function executorFor(options: AgentOptions, log: Log): Executor {
  const { target, stateDir, aptTimeoutMs: timeoutMs, probe } = options;
  if (target.kind === 'simulate') return createSimulatedExecutor(target.file, log);
  const root = openRoot(target.kind === 'host' ? '/' : target.path);
  return createAptExecutor({ root, stateDir, timeoutMs, log }, probe);
}

async function connect(
  options: AgentOptions,
  state: StateDir,
  executor: Executor,
  signal: AbortSignal,
  log: Log,
): Promise<AgentContext> {
  const limits = { timeoutMs: options.requestTimeoutMs, signal };
  const pause = pauseUntil(signal);
  const { secret, endpointId: known } = await state.identity();
  if (known === null && options.enrolToken === null) {
    throw new ConfigError('--enrol-token', 'is required until the agent is enrolled');
  }
  const desk = {
    enrol: (enrolment: Parameters<typeof enrolAt>[1]) =>
      enrolAt(options.serverUrl, enrolment, limits),
    saveEndpointId: state.saveEndpointId,
    log,
    pause,
    signal,
  };
  const endpointId =
    known ??
    (await enrol(desk, await executor.facts(), {
      token: options.enrolToken ?? '',
      credentialDigest: endpointSecretDigest(secret),
      agentVersion: AGENT_VERSION,
    }));
  const urls = { discovery: options.serverUrl, deployment: options.deploymentUrl };
  const now = () => new Date();
  return {
    endpointId,
    executor,
    journal: await openJournal(state.path, now),
    server: createServerClient(urls, { endpointId, secret }, limits),
    log,
    now,
    signal,
    pause,
  };
}

/**
 * Runs an agent until the signal, or to the end of its one round. When it resolves, no run of the
 * package system is going on. @throws ConfigError, NotEnrolled, ServerRefused (of the enrolment)
 */
export async function runAgent(
  options: AgentOptions,
  signal: AbortSignal,
  log: Log = logToStderr,
): Promise<void> {
  const state = await openStateDir(options.stateDir);
  try {
    const agent = await connect(options, state, executorFor(options, log), signal, log);
    log('agent-started', {
      endpointId: agent.endpointId,
      journal: join(state.path, 'journal.jsonl'),
    });
    const inventory = () => takeInventory(agent, state.nextSequence);
    if (options.mode === 'loop') {
      await runLoop(agent, options, inventory);
      return;
    }
    await inventory();
    if (options.mode === 'once' && (await runCycle(agent))) await inventory();
  } finally {
    await state.release();
    log('agent-ended');
  }
}
