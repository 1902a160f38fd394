import type { CloudEvent } from '@patchtrail/contracts';
import type { IHeaders, Message } from 'kafkajs';
import { BusRefusal } from '../bus.js';

/**
 * CloudEvents 1.0 in the binary mode of its Kafka binding: attributes are headers, the data are the
 * value, the partition key is the key.
 */

const PREFIX = 'ce_';
const CONTENT_TYPE = 'content-type';
const JSON_CONTENT = /^application\/json(\s*;\s*charset="?utf-8"?)?$/i;

/** Attributes that may be empty here. CloudEvents has no empty ones, so they are left out. */
const OPTIONAL = ['correlationid', 'causationid', 'traceparent', 'authid'] as const;

export type Record = Readonly<{
  key: Buffer | null;
  value: Buffer | null;
  headers?: IHeaders;
}>;

/** The record of a message that is well-formed; `data` is its data as JSON. @throws BusRefusal */
export function toRecord(message: CloudEvent, data: string): Message & { headers: IHeaders } {
  const headers: IHeaders = {};
  const { data: _, datacontenttype, ...attributes } = message;
  for (const [name, value] of Object.entries<unknown>(attributes)) {
    if (typeof value !== 'string') throw new BusRefusal('invalid-message', name, 'text');
    if (value !== '') headers[`${PREFIX}${name}`] = value;
  }
  headers[CONTENT_TYPE] = datacontenttype;
  return { key: message.partitionkey, value: data, headers };
}

/**
 * What a record says, well-formed or not: anybody may write to a topic, so who consumes asserts
 * the envelope. A value that is no JSON is kept as `data_base64`, and there are no data then.
 */
export function fromRecord({ key, value, headers = {} }: Record): CloudEvent {
  const attributes: { [name: string]: unknown } = {};
  for (const name of OPTIONAL) attributes[name] = '';
  attributes['partitionkey'] = key === null ? undefined : textOf(key);
  for (const [name, header] of Object.entries(headers)) {
    if (name.startsWith(PREFIX)) attributes[name.slice(PREFIX.length)] = textOf(header);
  }
  const contentType = textOf(headers[CONTENT_TYPE]);
  const isJson = typeof contentType === 'string' && JSON_CONTENT.test(contentType);
  attributes['datacontenttype'] = isJson ? 'application/json' : contentType;
  // Judged where it is consumed, so that a malformed message is recorded there with its cause.
  return { ...attributes, ...dataOf(value) } as unknown as CloudEvent;
}

/** Always with `data`, so that no header stands in for them. */
function dataOf(value: Buffer | null): { data: unknown; data_base64?: string } {
  if (value === null) return { data: undefined };
  try {
    const data: unknown = JSON.parse(utf8(value));
    return { data };
  } catch {
    return { data: undefined, data_base64: value.toString('base64') };
  }
}

/** Text, or what cannot be an attribute: bytes that are no UTF-8, a header that is there twice. */
function textOf(header: IHeaders[string]): unknown {
  if (header === undefined || typeof header === 'string') return header;
  if (Array.isArray(header)) return header.map(textOf);
  try {
    return utf8(header);
  } catch {
    return { base64: header.toString('base64') };
  }
}

function utf8(bytes: Buffer): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}
