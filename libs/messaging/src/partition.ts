const MULTIPLIER = 0x5bd1e995;
const SEED = 0x9747b28c;

/**
 * The partition of a key: murmur2 of its UTF-8 bytes, made positive, modulo the partitions. This is
 * what Kafka's own producers compute, so a key has the same partition number on every adapter and a
 * log can be moved from one to the other without reordering a key.
 */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key, 'utf8')) & 0x7fffffff) % partitions;
}

/** 32-bit MurmurHash2 as a signed integer. */
export function murmur2(bytes: Buffer): number {
  const wholeWords = bytes.length - (bytes.length % 4);
  let hash = SEED ^ bytes.length;
  for (let at = 0; at < wholeWords; at += 4) {
    hash = Math.imul(hash, MULTIPLIER) ^ scrambled(bytes.readInt32LE(at));
  }
  const rest = bytes.length - wholeWords;
  if (rest > 0) hash = Math.imul(hash ^ bytes.readUIntLE(wholeWords, rest), MULTIPLIER);
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}

function scrambled(word: number): number {
  const mixed = Math.imul(word, MULTIPLIER);
  return Math.imul(mixed ^ (mixed >>> 24), MULTIPLIER);
}
