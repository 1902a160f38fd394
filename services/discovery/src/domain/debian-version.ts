type Parts = Readonly<{ epoch: string; upstream: string; revision: string }>;

const VERSION = /^(?:\d{1,9}:[A-Za-z0-9.+~:-]+|[A-Za-z0-9.+~-]+)$/;

/** Whether the text may stand as a Debian version, at most 200 characters long. */
export function isVersion(text: string): boolean {
  return text.length <= 200 && VERSION.test(text);
}

/** Negative, zero or positive: Debian's order, in which `~` sorts before the end of a version. */
export function compareVersions(left: string, right: string): number {
  const a = partsOf(left);
  const b = partsOf(right);
  return (
    compareRuns(a.epoch, b.epoch) ||
    compareRuns(a.upstream, b.upstream) ||
    compareRuns(a.revision, b.revision)
  );
}

function partsOf(version: string): Parts {
  const colon = version.indexOf(':');
  const rest = version.slice(colon + 1);
  const dash = rest.lastIndexOf('-');
  return {
    epoch: colon === -1 ? '' : version.slice(0, colon),
    upstream: dash === -1 ? rest : rest.slice(0, dash),
    revision: dash === -1 ? '' : rest.slice(dash + 1),
  };
}

/** Compares non-digits by their order and digits by their value, in turn, from the left. */
function compareRuns(a: string, b: string): number {
  let restA = a;
  let restB = b;
  while (restA !== '' || restB !== '') {
    const [wordA, wordB] = [leading(/^\D*/, restA), leading(/^\D*/, restB)];
    const words = compareWords(wordA, wordB);
    if (words !== 0) return words;
    restA = restA.slice(wordA.length);
    restB = restB.slice(wordB.length);
    const [numberA, numberB] = [leading(/^\d*/, restA), leading(/^\d*/, restB)];
    const numbers = compareNumbers(numberA, numberB);
    if (numbers !== 0) return numbers;
    restA = restA.slice(numberA.length);
    restB = restB.slice(numberB.length);
  }
  return 0;
}

function leading(pattern: RegExp, text: string): string {
  return pattern.exec(text)?.[0] ?? '';
}

function compareWords(a: string, b: string): number {
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const difference = weightOf(a, i) - weightOf(b, i);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `~` before the end, the end before letters, letters before everything else. */
function weightOf(word: string, index: number): number {
  if (index >= word.length) return 0;
  const character = word.charAt(index);
  if (character === '~') return -1;
  const code = word.charCodeAt(index);
  return /[A-Za-z]/.test(character) ? code : code + 256;
}

/** By length first, so that no run of digits is too long to be a number. */
function compareNumbers(a: string, b: string): number {
  const x = a.replace(/^0+/, '');
  const y = b.replace(/^0+/, '');
  if (x.length !== y.length) return x.length - y.length;
  return x < y ? -1 : Number(x > y);
}

/** The greatest of the versions, or `null` if there are none. */
export function newestOf(versions: Iterable<string>): string | null {
  let newest: string | null = null;
  for (const version of versions) {
    if (newest === null || compareVersions(version, newest) > 0) newest = version;
  }
  return newest;
}

/** The least of the versions, or `null` if there are none. */
export function oldestOf(versions: Iterable<string>): string | null {
  let oldest: string | null = null;
  for (const version of versions) {
    if (oldest === null || compareVersions(version, oldest) < 0) oldest = version;
  }
  return oldest;
}
