import { createHash } from 'node:crypto';
import { formatEndpointCredential } from '@patchtrail/auth';
import { Type } from '@sinclair/typebox';
import type { Enrolment, Server } from '../../application/server.js';
import { decodeJson, Id, LeaseSchema } from '../decoding/schemas.js';
import { type RequestLimits, send } from './requests.js';

const EnrolledSchema = Type.Object({ endpointId: Id });

export type ServerUrls = Readonly<{ discovery: string; deployment: string }>;

/** The same token and digest make the same key, so that a repeat after a crash is recognised. */
function idempotencyKey({ token, credentialDigest }: Enrolment): string {
  return `enrol-${createHash('sha256').update(`${token} ${credentialDigest}`).digest('hex')}`;
}

/** Answers the endpoint id. */
export async function enrolAt(
  discoveryUrl: string,
  enrolment: Enrolment,
  limits: RequestLimits,
): Promise<string> {
  const text = await send(
    {
      method: 'POST',
      url: `${discoveryUrl}/v1/endpoints:enrol`,
      body: enrolment,
      headers: { 'idempotency-key': idempotencyKey(enrolment) },
    },
    limits,
  );
  return decodeJson('enrolment answer', EnrolledSchema, text).endpointId;
}

/** The services as an enrolled endpoint sees them. A malformed lease is `Malformed`, naming the field. */
export function createServerClient(
  urls: ServerUrls,
  identity: Readonly<{ endpointId: string; secret: string }>,
  limits: RequestLimits,
): Server {
  const { endpointId } = identity;
  const credential = formatEndpointCredential(endpointId, identity.secret);
  const headers = { authorization: `Bearer ${credential}` };
  const put = (url: string, body: unknown, patience = limits) =>
    send({ method: 'PUT', url, body, headers }, patience);
  // What has been done is told even when the agent is about to end.
  const reporting = { ...limits, signal: new AbortController().signal };
  return {
    putInventory: async (report) => {
      await put(`${urls.discovery}/v1/endpoints/${endpointId}/inventory`, report);
    },
    lease: async (busyWith) => {
      const text = await put(`${urls.deployment}/v1/agents/${endpointId}/lease`, { busyWith });
      return text === '' ? null : decodeJson('lease', LeaseSchema, text);
    },
    confirm: async (attemptId, epoch) => {
      await put(`${urls.deployment}/v1/leases/${attemptId}/confirmation`, { epoch });
    },
    report: async (attemptId, epoch, outcome) => {
      const url = `${urls.deployment}/v1/leases/${attemptId}/outcome`;
      await put(url, { epoch, ...outcome }, reporting);
    },
  };
}
