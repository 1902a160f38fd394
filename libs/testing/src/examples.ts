import {
  type CloudEvent,
  type DataOf,
  type EndpointAttributes,
  type EventDefinition,
  type Patch,
  toCloudEvent,
} from '@patchtrail/contracts';
import { v4 } from 'uuid';

/** The instant at which examples happen. */
export const EXAMPLE_AT = '2026-11-21T09:00:00.000Z';

/** A message as its service would publish it, with a new id. */
export function exampleMessage<D extends EventDefinition>(
  definition: D,
  key: string,
  data: DataOf<D>,
  at: string = EXAMPLE_AT,
): CloudEvent {
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
  const origin = {
    ...{ id: v4(), subject: `example/${key}`, key, sequence: 1, time: at, recordedTime: at },
    ...{ correlationId: v4(), causationId: v4(), traceparent, actor: 'example' },
  };
  return toCloudEvent(definition, origin, data);
}

export function exampleAttributes(change: Partial<EndpointAttributes> = {}): EndpointAttributes {
  return {
    ...{ hostname: 'h', department: 'Finance', location: '', deviceType: 'server', owner: '' },
    platform: { os: 'debian', release: '12', codename: 'bookworm', architecture: 'amd64' },
    ...{ environment: 'production', businessImpact: 'high', exposure: 'none' },
    ...{ timeZone: 'UTC', hardwareModel: 'm', labels: {} },
    ...change,
  };
}

export function examplePatch(patchId: string, change: Partial<Patch> = {}): Patch {
  return {
    ...{ patchId, revision: 1, contentDigest: `sha256:${'1'.repeat(64)}`, vendor: 'debian' },
    ...{ vendorKey: 'zlib@2', title: 'zlib', sourcePackage: 'zlib', sourceVersion: '2' },
    ...{ fromVersion: '1', sourceId: v4(), origin: 'Debian', label: 'Debian-Security' },
    ...{ suite: 'stable-security', codename: 'bookworm-security', securityOrigin: true },
    ...{ cves: ['CVE-2026-0001'], changelog: { status: 'verified', detail: '' }, artifacts: [] },
    ...{ discoveredAt: EXAMPLE_AT },
    ...change,
  };
}
