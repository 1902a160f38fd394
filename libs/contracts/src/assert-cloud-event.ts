import { Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import type { CloudEvent } from './cloud-event.js';
import { ContractViolation } from './define-event.js';
import { Instant } from './vocabulary.js';

/** Text that a database column and a message header can hold. */
const Attribute = (maxLength: number, minLength = 1) =>
  Type.String({ minLength, maxLength, pattern: '^[^\\u0000]*$' });

const Envelope = Type.Object({
  specversion: Type.Literal('1.0'),
  id: Attribute(200),
  source: Attribute(200),
  type: Attribute(200),
  subject: Attribute(500),
  time: Instant,
  datacontenttype: Type.Literal('application/json'),
  dataschema: Attribute(500),
  partitionkey: Attribute(500),
  sequence: Type.String({ pattern: '^\\d{20}$' }),
  correlationid: Attribute(200, 0),
  causationid: Attribute(200, 0),
  traceparent: Attribute(200, 0),
  recordedtime: Instant,
  authid: Attribute(500, 0),
  data: Type.Unknown(),
});
const envelope = TypeCompiler.Compile(Envelope);

/** The message, once its attributes are well-formed; its data is not judged. @throws ContractViolation */
export function assertCloudEvent(message: unknown): CloudEvent {
  const error = envelope.Errors(message).First();
  if (error !== undefined) throw new ContractViolation('CloudEvent', error.path, error.message);
  if (!envelope.Check(message) || message.data === undefined) {
    throw new ContractViolation('CloudEvent', '/data', 'Expected a JSON value');
  }
  return message;
}
