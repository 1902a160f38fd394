import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
// A CommonJS bundle whose names Node cannot see: only the default import works outside of Jest.
import xz from 'xz-decompress';
import { FeedRefusal, type FeedRefusalCode } from '../../domain/feed-refusal.js';

export type Packing = 'xz' | 'gz' | 'zst' | 'plain';

export type UnpackLimits = Readonly<{
  sizeMax: number;
  /** The refusal of what cannot be unpacked. */
  code: FeedRefusalCode;
  name: string;
}>;

const CHUNK_BYTES = 65_536;

/** The unpacked bytes, piece by piece. @throws FeedRefusal when they are broken or too many */
export async function* unpack(
  bytes: Buffer,
  packing: Packing,
  { sizeMax, code, name }: UnpackLimits,
): AsyncGenerator<Buffer> {
  let size = 0;
  try {
    for await (const chunk of opened(bytes, packing)) {
      size += chunk.length;
      if (size > sizeMax) throw new FeedRefusal('too-large', `${name} unpacks above ${sizeMax}`);
      yield Buffer.from(chunk);
    }
  } catch (error) {
    if (error instanceof FeedRefusal) throw error;
    throw new FeedRefusal(code, `${name} cannot be unpacked as ${packing}`);
  }
}

function opened(bytes: Buffer, packing: Packing): AsyncIterable<Uint8Array> {
  const source = Readable.from(pieces(bytes));
  switch (packing) {
    case 'plain':
      return source;
    case 'gz':
      return source.pipe(createGunzip());
    case 'zst':
      return source.pipe(createZstdDecompress());
    case 'xz':
      return unxz(bytes);
  }
}

async function* unxz(bytes: Buffer): AsyncGenerator<Uint8Array> {
  const packed = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces(bytes)) controller.enqueue(piece);
      controller.close();
    },
  });
  for await (const chunk of new xz.XzReadableStream(packed)) {
    yield chunk;
    // It unpacks on this thread: everything else gets its turn between two pieces.
    await setImmediate();
  }
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    yield bytes.subarray(at, at + CHUNK_BYTES);
  }
}
