/**
 * An integration event as it travels: CloudEvents 1.0 attributes with the documented partitioning,
 * sequence, distributed-tracing and recorded-time extensions. Times are RFC 3339 in UTC.
 */
export type CloudEvent<T = unknown> = Readonly<{
  specversion: '1.0';
  /** Unique with `source`; a consumer knows a duplicate by it. */
  id: string;
  /** The publishing service: `/patchtrail/discovery`. */
  source: string;
  /** `org.patchtrail.<context>.<EventName>.v<n>` */
  type: string;
  /** The aggregate: `patch/<id>`. */
  subject: string;
  /** When it happened. */
  time: string;
  datacontenttype: 'application/json';
  dataschema: string;
  /** The aggregate's id. Messages of one key keep their order; nothing else does. */
  partitionkey: string;
  /** 20 digits, zero-padded; grows within one key. */
  sequence: string;
  correlationid: string;
  causationid: string;
  traceparent: string;
  /** When the publishing service made it durable. */
  recordedtime: string;
  /** Opaque id of the person, service or endpoint behind it; informational, never trusted. */
  authid: string;
  data: T;
}>;
