import type { Static, TSchema } from '@sinclair/typebox';
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler';
import type { CloudEvent } from './cloud-event.js';

/** An integration event: its name, its topic, and the JSON Schema that is also its type. */
export type EventDefinition<S extends TSchema = TSchema> = Readonly<{
  type: string;
  source: string;
  topic: string;
  schema: S;
}>;

/** The data of an integration event: `DataOf<typeof PatchDiscovered>`. */
export type DataOf<D extends EventDefinition> = Static<D['schema']>;

/** A message that does not fit its contract; `field` is a JSON pointer into it. */
export class ContractViolation extends Error {
  constructor(
    readonly type: string,
    readonly field: string,
    readonly rule: string,
  ) {
    super(`${type} ${field === '' ? '/' : field}: ${rule}`);
    this.name = 'ContractViolation';
  }
}

/** Declares an integration event. The version in the type grows only on a breaking change. */
export function defineEvent<S extends TSchema>(
  context: string,
  topic: string,
  name: string,
  schema: S,
  version = 1,
): EventDefinition<S> {
  const type = `org.patchtrail.${context}.${name}.v${String(version)}`;
  return { type, source: `/patchtrail/${context}`, topic, schema };
}

const checks = new Map<string, TypeCheck<TSchema>>();

function checkFor(definition: EventDefinition): TypeCheck<TSchema> {
  const known = checks.get(definition.type);
  if (known !== undefined) return known;
  const compiled = TypeCompiler.Compile(definition.schema);
  checks.set(definition.type, compiled);
  return compiled;
}

/** The data, once it fits the schema. @throws ContractViolation */
export function assertData<D extends EventDefinition>(definition: D, data: unknown): DataOf<D> {
  const check = checkFor(definition);
  const error = check.Errors(data).First();
  if (error !== undefined) throw new ContractViolation(definition.type, error.path, error.message);
  return data;
}

/** True and typed if the message is an event of this definition. @throws ContractViolation */
export function isEvent<D extends EventDefinition>(
  definition: D,
  message: CloudEvent,
): message is CloudEvent<DataOf<D>> {
  if (message.type !== definition.type) return false;
  assertData(definition, message.data);
  return true;
}

/** What a publisher knows about the event besides its data. */
export type EventOrigin = Readonly<{
  id: string;
  subject: string;
  key: string;
  /** Grows within one key: a stream revision or an outbox number. */
  sequence: number | bigint;
  time: string;
  recordedTime: string;
  correlationId: string;
  causationId: string;
  traceparent: string;
  actor: string;
}>;

/** The message to publish on `definition.topic`. @throws ContractViolation */
export function toCloudEvent<D extends EventDefinition>(
  definition: D,
  origin: EventOrigin,
  data: DataOf<D>,
): CloudEvent<DataOf<D>> {
  assertData(definition, data);
  return {
    specversion: '1.0',
    id: origin.id,
    source: definition.source,
    type: definition.type,
    subject: origin.subject,
    time: origin.time,
    datacontenttype: 'application/json',
    dataschema: `urn:patchtrail:schema:${definition.type}`,
    partitionkey: origin.key,
    sequence: String(origin.sequence).padStart(20, '0'),
    correlationid: origin.correlationId,
    causationid: origin.causationId,
    traceparent: origin.traceparent,
    recordedtime: origin.recordedTime,
    authid: origin.actor,
    data,
  };
}
