import type { Failure, FailureClass } from './failure.js';

export type FailedRun = Readonly<{
  /** The end of what apt and dpkg printed. */
  output: string;
  timedOut: boolean;
  /** Packages that dpkg left unpacked, half-configured or worse, as `name status`. */
  broken: readonly string[];
}>;

type Rule = Readonly<{ class: FailureClass; transient: boolean; pattern: RegExp }>;

const SCRIPT = /package (?:pre|post)-(?:installation|removal) script subprocess/;
const NO_SPACE = /No space left on device|enough free space/;

/** Tried in order on apt's own error lines; exit status 100 says nothing about the cause. */
const RULES: readonly Rule[] = [
  {
    class: 'lock-timeout',
    transient: true,
    pattern: /Could not get lock|Unable to (?:acquire|lock)|frontend lock/,
  },
  { class: 'disk-full', transient: false, pattern: NO_SPACE },
  { class: 'dpkg-broken', transient: false, pattern: /dpkg was interrupted/ },
  {
    class: 'version-not-found',
    transient: false,
    pattern: /was not found|Unable to locate package|no installation candidate/,
  },
  { class: 'held', transient: false, pattern: /Held packages were changed/ },
  {
    class: 'untrusted',
    transient: false,
    pattern: /unauthenticated packages|could not be authenticated/,
  },
  {
    class: 'plan-refused',
    transient: false,
    pattern: /Packages were downgraded|Packages need to be removed|[Ee]ssential packages were/,
  },
  {
    class: 'network',
    transient: true,
    pattern:
      /Failed to fetch|Unable to fetch|Could not resolve|Temporary failure|Could not connect|[Cc]onnection|failed to download|Hash Sum mismatch/,
  },
  {
    class: 'dependency',
    transient: false,
    pattern:
      /unmet dependencies|Unmet dependencies|broken packages|Unable to correct problems|Broken packages/,
  },
];

const errorLines = (output: string) =>
  output.split('\n').filter((line) => /^(?:E: |dpkg: |dpkg-deb: | )/.test(line));

function firstMatch(lines: readonly string[]): Omit<Failure, 'detail'> {
  // A package's script may print anything, so only apt's own lines count here.
  const text = lines.filter((line) => line.startsWith('E: ')).join('\n');
  const rule = RULES.find(({ pattern }) => pattern.test(text));
  return rule ?? { class: 'unknown', transient: false };
}

function judge(run: FailedRun, lines: readonly string[]): Omit<Failure, 'detail'> {
  if (run.timedOut) return { class: 'timeout', transient: false };
  const text = lines.join('\n');
  if (run.broken.length === 0 && !SCRIPT.test(text)) {
    return NO_SPACE.test(text) ? { class: 'disk-full', transient: false } : firstMatch(lines);
  }
  if (NO_SPACE.test(text)) return { class: 'disk-full', transient: false };
  if (SCRIPT.test(text)) return { class: 'maintainer-script', transient: false };
  if (/dependency problems/.test(text)) return { class: 'dependency', transient: false };
  const interrupted = run.broken.length > 0 && lines.length === 0;
  return { class: interrupted ? 'interrupted' : 'maintainer-script', transient: false };
}

const DETAIL_CHARS_MAX = 1_500;

/** Names the cause of a failed run by what was printed and by what dpkg left behind. */
export function classifyFailure(run: FailedRun): Failure {
  const lines = errorLines(run.output);
  const { class: failureClass, transient } = judge(run, lines);
  const state = run.broken.length === 0 ? [] : [`dpkg left: ${run.broken.join(', ')}`];
  const detail = [...lines.map((line) => line.trim()), ...state]
    .join('\n')
    .slice(0, DETAIL_CHARS_MAX);
  return {
    class: failureClass,
    transient,
    detail: detail === '' ? 'The run ended without a message.' : detail,
  };
}
