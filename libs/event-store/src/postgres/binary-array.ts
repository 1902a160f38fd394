/**
 * Arrays as the server's binary format has them: nothing is quoted here and nothing unquoted there.
 * https://www.postgresql.org/docs/15/protocol-overview.html#PROTOCOL-FORMAT-CODES
 */

const INT4 = 23;
const TEXT = 25;
const JSON_TYPE = 114;
const UUID = 2950;

const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;
const INT4_BYTES = 4;
const UUID_BYTES = 16;

export function int4Array(numbers: readonly number[]): Buffer {
  const buffer = arrayOf(INT4, numbers.length, numbers.length * INT4_BYTES);
  let at = HEADER_BYTES;
  for (const number of numbers) {
    at = buffer.writeInt32BE(INT4_BYTES, at);
    at = buffer.writeInt32BE(number, at);
  }
  return buffer;
}

export function textArray(texts: readonly string[]): Buffer {
  return stringsOf(TEXT, texts);
}

export function jsonArray(texts: readonly string[]): Buffer {
  return stringsOf(JSON_TYPE, texts);
}

export function uuidArray(uuids: readonly string[]): Buffer {
  const buffer = arrayOf(UUID, uuids.length, uuids.length * UUID_BYTES);
  let at = HEADER_BYTES;
  for (const uuid of uuids) {
    at = buffer.writeInt32BE(UUID_BYTES, at);
    at += buffer.write(uuid.replaceAll('-', ''), at, 'hex');
  }
  return buffer;
}

function stringsOf(type: number, texts: readonly string[]): Buffer {
  const sizes = texts.map((text) => Buffer.byteLength(text));
  const buffer = arrayOf(
    type,
    texts.length,
    sizes.reduce((sum, size) => sum + size, 0),
  );
  let at = HEADER_BYTES;
  for (const text of texts) {
    const written = buffer.write(text, at + LENGTH_BYTES);
    buffer.writeInt32BE(written, at);
    at += LENGTH_BYTES + written;
  }
  return buffer;
}

/** One dimension without nulls, counted from 1; the elements are still to be written. */
function arrayOf(type: number, count: number, elementBytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(HEADER_BYTES + count * LENGTH_BYTES + elementBytes);
  let at = buffer.writeInt32BE(1, 0);
  at = buffer.writeInt32BE(0, at);
  at = buffer.writeInt32BE(type, at);
  at = buffer.writeInt32BE(count, at);
  buffer.writeInt32BE(1, at);
  return buffer;
}
