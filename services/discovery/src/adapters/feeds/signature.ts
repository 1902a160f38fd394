import { DomainError } from '@patchtrail/event-sourcing';
import { type Key, readCleartextMessage, readKeys, verify } from 'openpgp';
import { FeedRefusal } from '../../domain/feed-refusal.js';
import { CLOCK_SKEW_MS } from '../../domain/release.js';

const ARMOR = '-----BEGIN PGP PUBLIC KEY BLOCK-----';
const SIGNED = '-----BEGIN PGP SIGNED MESSAGE-----';

/** Public keys out of ASCII armor or base64. @throws DomainError `invalid-keyring` */
export async function readKeyring(keyring: string): Promise<Key[]> {
  const keys = await parseKeys(keyring.trim());
  if (keys.length === 0) throw new DomainError('invalid-keyring', 'keyring: holds no key');
  if (keys.some((key) => key.isPrivate())) {
    throw new DomainError('invalid-keyring', 'keyring: must hold public keys only');
  }
  return keys;
}

async function parseKeys(keyring: string): Promise<Key[]> {
  try {
    if (keyring.startsWith(ARMOR)) return await readKeys({ armoredKeys: keyring });
    if (!/^[A-Za-z0-9+/\s]+={0,2}$/.test(keyring)) throw new Error('not base64');
    return await readKeys({ binaryKeys: Buffer.from(keyring, 'base64') });
  } catch {
    throw new DomainError('invalid-keyring', 'keyring: must be armored or base64 OpenPGP keys');
  }
}

/**
 * The text that a key of the keyring signed. Only this text may be used: an armored file can carry
 * more around it that nobody signed.
 * @throws FeedRefusal `truncated`, `bad-signature`, `unknown-key`
 */
export async function verifiedText(
  file: string,
  keys: readonly Key[],
  now: string,
): Promise<string> {
  const message = await parseMessage(file);
  const { signatures } = await verify({
    message,
    verificationKeys: [...keys],
    date: new Date(Date.parse(now) + CLOCK_SKEW_MS),
  });
  const problems: string[] = [];
  for (const { keyID, verified } of signatures) {
    try {
      await verified;
      return message.getText();
    } catch (error) {
      problems.push(`${keyID.toHex().toUpperCase()}: ${problemOf(error)}`);
    }
  }
  const known = signatures.some(({ keyID }) => keys.some((key) => key.getKeys(keyID).length > 0));
  throw new FeedRefusal(known ? 'bad-signature' : 'unknown-key', problems.join('; '));
}

async function parseMessage(file: string) {
  if (!file.trimStart().startsWith(SIGNED)) {
    throw new FeedRefusal('bad-signature', 'InRelease is not a clear-signed message');
  }
  if (!file.includes('-----END PGP SIGNATURE-----')) {
    throw new FeedRefusal('truncated', 'InRelease ends before its signature does');
  }
  try {
    return await readCleartextMessage({ cleartextMessage: file });
  } catch (error) {
    throw new FeedRefusal('bad-signature', `InRelease: ${problemOf(error)}`);
  }
}

function problemOf(error: unknown): string {
  return error instanceof Error ? error.message : 'cannot be read';
}
