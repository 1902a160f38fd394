import {
  ApplicabilityState,
  Count,
  Digest,
  EndpointAttributes,
  Id,
  Instant,
  literals,
  nullable,
  Patch,
  Selector,
} from '@patchtrail/contracts';
import { named } from '@patchtrail/platform';
import { Type } from '@sinclair/typebox';
import { Packages, PendingUpgrades, Sources } from './inventory.dto.js';

const Text = Type.String();
const Texts = Type.Array(Text);
const Lifecycle = literals(['active', 'retired']);

/** The token is shown here and nowhere else. */
export const IssuedTokenAnswer = Type.Object({ tokenId: Id, token: Text, expiresAt: Instant });
export const EnrolledAnswer = Type.Object({ endpointId: Id });
export const ChangedEndpointAnswer = Type.Object({ endpointId: Id, revision: Count });
export const RetiredEndpointAnswer = Type.Object({ endpointId: Id, lifecycle: Lifecycle });
export const TakenInventoryAnswer = Type.Object({ sequence: Count, changed: Type.Boolean() });

const endpoint = {
  endpointId: Id,
  /** Of the attributes. */
  revision: Count,
  lifecycle: Lifecycle,
  attributes: named('EndpointAttributes', EndpointAttributes),
  agentVersion: Text,
  enrolledAt: Instant,
  lastSeenAt: nullable(Instant),
  staleSince: nullable(Instant),
};
export const EndpointRow = named('EndpointRow', Type.Object(endpoint));

/** The last one accepted. */
const Inventory = Type.Object({
  sequence: Count,
  collectedAt: Instant,
  receivedAt: Instant,
  digest: Digest,
  packageCount: Count,
  packages: Packages,
  holds: Texts,
  sources: Sources,
  pendingUpgrades: PendingUpgrades,
  aptProblem: nullable(Text),
  rebootRequired: Type.Boolean(),
  rebootPackages: Texts,
  trustProblems: Texts,
  agentVersion: Text,
});

const Applicability = Type.Object({
  patchId: Id,
  title: Text,
  state: ApplicabilityState,
  reason: Text,
  installedVersion: nullable(Text),
  packages: Texts,
  superseded: Type.Boolean(),
  since: Instant,
});

/** What the endpoint's own apt plans, against what the indexes in force imply. */
const AptCheck = Type.Object({
  agrees: Type.Boolean(),
  problem: nullable(Text),
  differences: Type.Array(Type.Object({ package: Text, code: Text, detail: Text })),
});

export const EndpointAnswer = named(
  'Endpoint',
  Type.Object({
    ...endpoint,
    inventory: nullable(named('Inventory', Inventory)),
    applicability: Type.Array(named('Applicability', Applicability)),
    aptCheck: nullable(named('AptCheck', AptCheck)),
  }),
);

const source = {
  sourceId: Id,
  uri: Text,
  suite: Text,
  components: Texts,
  architectures: Texts,
  keyFingerprints: Texts,
  admittedAt: Instant,
};
export const AdmittedSourceAnswer = Type.Object(source);

/** With the index in force, and what has failed since it was last looked at. */
export const PackageSourceAnswer = named(
  'PackageSource',
  Type.Object({
    ...source,
    origin: nullable(Text),
    label: nullable(Text),
    releaseSuite: nullable(Text),
    codename: nullable(Text),
    securityOrigin: nullable(Type.Boolean()),
    releaseDigest: nullable(Digest),
    releasedAt: nullable(Instant),
    validUntil: nullable(Instant),
    packageCount: nullable(Count),
    syncedAt: nullable(Instant),
    checkedAt: nullable(Instant),
    failure: nullable(Type.Object({ code: Text, detail: Text, at: Instant })),
  }),
);

export const SyncAnswer = Type.Object({
  status: literals(['synced', 'unchanged', 'failed']),
  /** Of a failure. */
  code: Type.Optional(Text),
  detail: Type.Optional(Text),
  /** Of the index now in force. */
  releaseDigest: nullable(Digest),
  packageCount: Count,
});

export const PatchAnswer = named(
  'Patch',
  Type.Object({
    ...Patch.properties,
    status: literals(['available', 'superseded', 'withdrawn']),
    supersededBy: nullable(Id),
    withdrawnAt: nullable(Instant),
    /** How many, by state. */
    endpoints: Type.Record(Text, Count),
  }),
);

const group = { groupId: Id, name: Text, selector: Selector };
export const DeviceGroupRow = named('DeviceGroupRow', Type.Object(group));
export const DefinedGroupAnswer = Type.Object({ ...group, memberCount: Count });

/** Its members of now; those of other departments are counted only. */
export const DeviceGroupAnswer = named(
  'DeviceGroup',
  Type.Object({
    ...group,
    memberCount: Count,
    members: Type.Array(Type.Object({ endpointId: Id, hostname: Text })),
  }),
);

export const ThreatSignalsAnswer = Type.Object({
  items: Type.Array(
    Type.Object({
      signal: Text,
      catalogVersion: Text,
      releasedAt: Instant,
      count: Count,
      importedAt: Instant,
    }),
  ),
});
export const ImportAnswer = Type.Object({
  catalogVersion: Text,
  count: Count,
  added: Count,
  changed: Count,
});
