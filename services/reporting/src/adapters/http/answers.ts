import {
  APPLICABILITY_STATES,
  ApplicabilityState,
  Count,
  deployment,
  Id,
  Instant,
  nullable,
} from '@patchtrail/contracts';
import { named } from '@patchtrail/platform';
import { Type } from '@sinclair/typebox';

const Text = Type.String();

/** One endpoint and one patch. */
export const ComplianceRow = named(
  'ComplianceRow',
  Type.Object({
    endpointId: Id,
    hostname: Text,
    department: Text,
    patchId: Id,
    vendorKey: Text,
    state: ApplicabilityState,
    reason: Text,
    installedVersion: nullable(Text),
    since: Instant,
  }),
);

const counts = APPLICABILITY_STATES.map((state) => [state, Type.Optional(Count)] as const);

/** Counts of pairs of endpoint and patch. */
export const Compliance = named(
  'Compliance',
  Type.Object({
    numerator: Count,
    denominator: Count,
    population: Count,
    excluded: Type.Array(Type.Object({ reason: Text, count: Count })),
    byState: Type.Object(Object.fromEntries(counts)),
  }),
);

export const RecordedEvent = named(
  'RecordedEvent',
  Type.Object({
    /** In reporting's own order of arrival. */
    number: Text,
    eventId: Text,
    type: Text,
    subject: Text,
    time: Instant,
    recordedTime: Instant,
    actor: Text,
    correlationId: Text,
    causationId: Text,
    data: Type.Unknown(),
  }),
);

export const FailureTicket = named(
  'FailureTicket',
  Type.Object({
    number: Text,
    raisedAt: Instant,
    ticket: deployment.FailureTicketRaised.schema,
  }),
);
