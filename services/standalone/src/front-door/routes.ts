import { readFileSync } from 'node:fs';
import { SERVICE_NAMES, type ServiceName } from '../services.js';

/** The service that a request's URL is for; `null` if there is none. */
export type FindService = (url: string) => ServiceName | null;

/**
 * From the checked-in OpenAPI documents: what follows `/v1/` up to the next slash belongs to one
 * service.
 * @throws Error where two services claim the same
 */
export function readRoutes(): FindService {
  const owners = new Map<string, ServiceName>();
  for (const service of SERVICE_NAMES) {
    for (const path of pathsOf(service)) claim(owners, resourceOf(path), service);
  }
  return (url) => {
    const path = url.split(/[?#]/, 1)[0] ?? '';
    const document = /^\/openapi\/(?<name>[a-z]+)\.json$/.exec(path)?.groups?.['name'];
    if (document !== undefined) return SERVICE_NAMES.find((name) => name === document) ?? null;
    return owners.get(resourceOf(path) ?? '') ?? null;
  };
}

function claim(
  owners: Map<string, ServiceName>,
  resource: string | null,
  service: ServiceName,
): void {
  if (resource === null) throw new Error(`${service} documents a path that is not below /v1/.`);
  const owner = owners.get(resource) ?? service;
  if (owner !== service) throw new Error(`/v1/${resource} belongs to ${owner} and to ${service}.`);
  owners.set(resource, service);
}

function resourceOf(path: string): string | null {
  const resource = /^\/v1\/(?<resource>[^/]+)/.exec(path)?.groups?.['resource'];
  if (resource === undefined) return null;
  try {
    return decodeURIComponent(resource);
  } catch {
    return null;
  }
}

/** At the same depth from sources and from what is built. */
function pathsOf(service: ServiceName): readonly string[] {
  const file = new URL(`../../../${service}/openapi.json`, import.meta.url);
  const document: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (typeof document === 'object' && document !== null && 'paths' in document) {
    const { paths } = document;
    if (typeof paths === 'object' && paths !== null) return Object.keys(paths);
  }
  throw new Error(`${file.pathname} has no paths.`);
}
