import type { EndpointAttributes } from '@patchtrail/contracts';
import type { Sql } from '@patchtrail/postgres';
import type { Endpoint, EndpointStore } from '../../application/ports.js';
import type { AssignedAttributes } from '../../domain/endpoint-attributes.js';
import type { Lifecycle } from '../../domain/enrolment.js';

export type EndpointRow = Readonly<{
  endpoint_id: string;
  revision: number;
  lifecycle: Lifecycle;
  attributes: EndpointAttributes;
  agent_version: string;
  enrolled_at: Date;
  last_seen_at: Date | null;
  stale_since: Date | null;
}>;

export const ENDPOINT_COLUMNS =
  'endpoint_id, revision, lifecycle, attributes, agent_version, enrolled_at, last_seen_at, stale_since';

export function endpointOf(row: EndpointRow): Endpoint {
  return {
    endpointId: row.endpoint_id,
    revision: row.revision,
    lifecycle: row.lifecycle,
    attributes: row.attributes,
    agentVersion: row.agent_version,
    enrolledAt: row.enrolled_at.toISOString(),
    lastSeenAt: row.last_seen_at?.toISOString() ?? null,
    staleSince: row.stale_since?.toISOString() ?? null,
  };
}

type TokenRow = Readonly<{
  token_id: string;
  attributes: AssignedAttributes;
  expires_at: Date;
  endpoint_id: string | null;
  credential_digest: string | null;
}>;

export function endpointStore(sql: Sql): EndpointStore {
  const one = async (endpointId: string, lock: string) => {
    const [row] = await sql.rows<EndpointRow>(
      `SELECT ${ENDPOINT_COLUMNS} FROM endpoints WHERE endpoint_id = $1 ${lock}`,
      [endpointId],
    );
    return row === undefined ? null : endpointOf(row);
  };
  return {
    addToken: async ({ tokenId, tokenDigest, attributes, expiresAt }) => {
      await sql.run(
        `INSERT INTO enrolment_tokens (token_id, token_digest, attributes, expires_at)
         VALUES ($1, $2, $3::jsonb, $4)`,
        [tokenId, tokenDigest, JSON.stringify(attributes), expiresAt],
      );
    },
    lockToken: async (tokenDigest) => {
      const [row] = await sql.rows<TokenRow>(
        `SELECT token_id, attributes, expires_at, endpoint_id, credential_digest
           FROM enrolment_tokens WHERE token_digest = $1 FOR NO KEY UPDATE`,
        [tokenDigest],
      );
      return row === undefined ? null : tokenOf(row);
    },
    useToken: async (tokenId, endpointId, credentialDigest) => {
      await sql.run(
        `UPDATE enrolment_tokens SET endpoint_id = $2, credential_digest = $3 WHERE token_id = $1`,
        [tokenId, endpointId, credentialDigest],
      );
    },
    add: async (endpoint, credentialDigest) => {
      const { endpointId, revision, lifecycle, attributes, agentVersion, enrolledAt } = endpoint;
      await sql.run(
        `INSERT INTO endpoints (endpoint_id, revision, lifecycle, attributes, credential_digest,
                                agent_version, enrolled_at)
         VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7)`,
        [
          ...[endpointId, revision, lifecycle, JSON.stringify(attributes)],
          ...[credentialDigest, agentVersion, enrolledAt],
        ],
      );
    },
    find: (endpointId) => one(endpointId, ''),
    lock: (endpointId) => one(endpointId, 'FOR NO KEY UPDATE'),
    setAttributes: async (endpointId, attributes) => {
      await sql.run(
        `UPDATE endpoints SET attributes = $2::jsonb, revision = revision + 1 WHERE endpoint_id = $1`,
        [endpointId, JSON.stringify(attributes)],
      );
    },
    retire: async (endpointId, reason) => {
      await sql.run(
        `UPDATE endpoints SET lifecycle = 'retired', retirement_reason = $2, revision = revision + 1
          WHERE endpoint_id = $1`,
        [endpointId, reason],
      );
    },
    markStale: (before, at, limit) => markStale(sql, before, at, limit),
    active: async () => {
      const rows = await sql.rows<EndpointRow>(
        `SELECT ${ENDPOINT_COLUMNS} FROM endpoints WHERE lifecycle = 'active' ORDER BY endpoint_id`,
      );
      return rows.map(endpointOf);
    },
  };
}

async function markStale(
  sql: Sql,
  before: string,
  at: string,
  limit: number,
): Promise<readonly string[]> {
  const rows = await sql.rows<{ id: string }>(
    `UPDATE endpoints SET stale_since = $2 WHERE endpoint_id IN (
       SELECT endpoint_id FROM endpoints
        WHERE lifecycle = 'active' AND stale_since IS NULL AND last_seen_at < $1
        ORDER BY last_seen_at, endpoint_id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED)
     RETURNING endpoint_id AS id`,
    [before, at, limit],
  );
  return rows.map(({ id }) => id);
}

function tokenOf(row: TokenRow) {
  const { endpoint_id: endpointId, credential_digest: credentialDigest } = row;
  const used = endpointId !== null && credentialDigest !== null;
  return {
    tokenId: row.token_id,
    attributes: row.attributes,
    expiresAt: row.expires_at.toISOString(),
    usedBy: used ? { endpointId, credentialDigest } : null,
  };
}
