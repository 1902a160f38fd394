type Say = (...parts: unknown[]) => void;
export type SilentLog = Readonly<
  Record<'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal', Say>
> & { child(): SilentLog };

const nothing: Say = () => undefined;

/** For code under test that wants a log nobody reads. */
export const silentLog: SilentLog = {
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  fatal: nothing,
  child: () => silentLog,
};
