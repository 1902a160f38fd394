import type { Log } from './context.js';
import type { EndpointFacts } from './executor.js';
import { type Enrolment, ServerUnavailable } from './server.js';

/** Thrown when the agent could not become a known endpoint. */
export class NotEnrolled extends Error {
  constructor(detail: string) {
    super(detail);
    this.name = 'NotEnrolled';
  }
}

export type EnrolmentDesk = Readonly<{
  enrol: (enrolment: Enrolment) => Promise<string>;
  saveEndpointId: (endpointId: string) => Promise<void>;
  log: Log;
  pause: (ms: number) => Promise<void>;
  signal: AbortSignal;
}>;

const TRIES_MAX = 30;
const BACKOFF_MS = 500;
const BACKOFF_MS_MAX = 10_000;

/** Enrols under a secret that is on disk already, and keeps the id. A repeat has the same answer. */
export async function enrol(
  desk: EnrolmentDesk,
  facts: EndpointFacts,
  secrets: Readonly<{ token: string; credentialDigest: string; agentVersion: string }>,
): Promise<string> {
  for (let tries = 0; tries < TRIES_MAX && !desk.signal.aborted; tries += 1) {
    try {
      const endpointId = await desk.enrol({ ...facts, ...secrets });
      await desk.saveEndpointId(endpointId);
      desk.log('enrolled', { endpointId, hostname: facts.hostname });
      return endpointId;
    } catch (error) {
      if (!(error instanceof ServerUnavailable)) throw error;
      desk.log('enrolment-unavailable', { reason: error.message });
    }
    await desk.pause(Math.min(BACKOFF_MS * 2 ** tries, BACKOFF_MS_MAX));
  }
  throw new NotEnrolled('The server could not be reached to enrol.');
}
