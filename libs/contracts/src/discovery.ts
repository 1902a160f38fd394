import { type Static, Type } from '@sinclair/typebox';
import { defineEvent } from './define-event.js';
import { EndpointAttributes } from './endpoint-attributes.js';
import { Selector } from './selector.js';
import {
  ApplicabilityState,
  Count,
  Cve,
  Digest,
  Id,
  Instant,
  literals,
  nullable,
  Text,
} from './vocabulary.js';

export const ENDPOINTS_TOPIC = 'discovery.endpoints.v1';
export const PATCHES_TOPIC = 'discovery.patches.v1';

const endpoints = <S extends Parameters<typeof defineEvent>[3]>(name: string, schema: S) =>
  defineEvent('discovery', ENDPOINTS_TOPIC, name, schema);
const patches = <S extends Parameters<typeof defineEvent>[3]>(name: string, schema: S) =>
  defineEvent('discovery', PATCHES_TOPIC, name, schema);

/** Key: endpointId. */
export const EndpointEnrolled = endpoints(
  'EndpointEnrolled',
  Type.Object({
    endpointId: Id,
    attributes: EndpointAttributes,
    /** SHA-256 of the endpoint's random 256-bit credential, for services that serve agents. */
    credentialDigest: Digest,
  }),
);
/** Key: endpointId. */
export const EndpointAttributesChanged = endpoints(
  'EndpointAttributesChanged',
  Type.Object({ endpointId: Id, attributes: EndpointAttributes }),
);
/** Key: endpointId. Its credential is void from here on. */
export const EndpointRetired = endpoints(
  'EndpointRetired',
  Type.Object({ endpointId: Id, reason: Text }),
);
/** Key: endpointId. */
export const InventoryChanged = endpoints(
  'InventoryChanged',
  Type.Object({
    endpointId: Id,
    sequence: Count,
    collectedAt: Instant,
    digest: Digest,
    packageCount: Count,
    rebootRequired: Type.Boolean(),
  }),
);
/** Key: endpointId. One per inventory that changes a state, with its differences only. */
export const ApplicabilityChanged = endpoints(
  'ApplicabilityChanged',
  Type.Object({
    endpointId: Id,
    inventorySequence: Count,
    collectedAt: Instant,
    changes: Type.Array(
      Type.Object({
        patchId: Id,
        from: nullable(ApplicabilityState),
        to: ApplicabilityState,
        /** Why, with the versions compared. */
        reason: Type.String(),
        installedVersion: nullable(Type.String()),
        /** The installed binary packages that the patch would upgrade. */
        packages: Type.Array(Type.String()),
      }),
    ),
  }),
);
/** Key: groupId. */
export const DeviceGroupChanged = endpoints(
  'DeviceGroupChanged',
  Type.Object({ groupId: Id, name: Text, selector: Selector, memberCount: Count }),
);

export const Artifact = Type.Object({
  package: Type.String(),
  version: Type.String(),
  architecture: Type.String(),
  uri: Type.String(),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  /** Bytes. */
  size: Count,
});
export type Artifact = Static<typeof Artifact>;

export const Patch = Type.Object({
  patchId: Id,
  /** 1 at its discovery. */
  revision: Type.Integer({ minimum: 1 }),
  /** Over everything below that an approver sees. */
  contentDigest: Digest,
  /** The archive's Origin, in lower case: `debian`. */
  vendor: Type.String(),
  /** `<source package>@<source version>` */
  vendorKey: Type.String(),
  title: Type.String(),
  sourcePackage: Type.String(),
  sourceVersion: Type.String(),
  /** The oldest source version below this one that some endpoint was found to have. */
  fromVersion: Type.String(),
  sourceId: Id,
  origin: Type.String(),
  label: Type.String(),
  suite: Type.String(),
  codename: Type.String(),
  /** From an archive that carries security updates only. */
  securityOrigin: Type.Boolean(),
  /** Named in the verified changelog between the two versions. */
  cves: Type.Array(Cve),
  /** `verified`: read from the package; `unavailable`: there was no changelog, with the reason. */
  changelog: Type.Object({ status: literals(['verified', 'unavailable']), detail: Type.String() }),
  artifacts: Type.Array(Artifact),
  discoveredAt: Instant,
});
export type Patch = Static<typeof Patch>;

/** Key: patchId. */
export const PatchDiscovered = patches('PatchDiscovered', Patch);
/** Key: patchId. */
export const PatchRevised = patches('PatchRevised', Patch);
/** Key: patchId of the older one. */
export const PatchSuperseded = patches(
  'PatchSuperseded',
  Type.Object({ patchId: Id, supersededBy: Id }),
);
/** Key: patchId. */
export const PatchWithdrawn = patches('PatchWithdrawn', Type.Object({ patchId: Id, reason: Text }));

/** Key: `kev`. An import in parts; the catalogue is complete once the last part is there. */
export const ThreatSignalChanged = patches(
  'ThreatSignalChanged',
  Type.Object({
    signal: literals(['kev']),
    catalogVersion: Type.String(),
    releasedAt: Instant,
    /** Entries of the whole catalogue, not of this part. */
    catalogCount: Count,
    part: Type.Integer({ minimum: 1 }),
    parts: Type.Integer({ minimum: 1 }),
    /** New or changed since the catalogue imported before. */
    entries: Type.Array(
      Type.Object({
        cveId: Cve,
        dateAdded: Type.String(),
        dueDate: Type.String(),
        knownRansomware: Type.Boolean(),
      }),
    ),
  }),
);
/** Key: sourceId. */
export const SourceAdmitted = patches(
  'SourceAdmitted',
  Type.Object({
    sourceId: Id,
    uri: Type.String(),
    suite: Type.String(),
    components: Type.Array(Type.String()),
    architectures: Type.Array(Type.String()),
    keyFingerprints: Type.Array(Type.String()),
  }),
);
/** Key: sourceId. */
export const FeedSynced = patches(
  'FeedSynced',
  Type.Object({
    sourceId: Id,
    releaseDigest: Digest,
    releasedAt: Instant,
    validUntil: nullable(Instant),
    packageCount: Count,
  }),
);
/** Key: sourceId. The index that was in force stays in force. */
export const FeedFailed = patches(
  'FeedFailed',
  Type.Object({
    sourceId: Id,
    /** Kebab-case: `bad-signature`, `hash-mismatch`, `expired`, `truncated`, `unreachable` … */
    code: Type.String(),
    detail: Type.String(),
  }),
);
