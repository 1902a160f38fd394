import { destination, type Logger as PinoLogger, pino } from 'pino';

export type Logger = PinoLogger;
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

const STDERR = 2;
const SECRETS = ['authorization', 'token', 'credential', 'secret', 'password', 'd'];

/** JSON lines on stderr. Log ids and numbers, never payloads; what looks like a secret is cut. */
export function createLogger(name: string, level: LogLevel = 'info', fd: number = STDERR): Logger {
  const paths = SECRETS.flatMap((key) => [key, `*.${key}`]);
  return pino(
    { name, level, redact: { paths, censor: '[cut]' }, base: null },
    destination({ dest: fd, sync: true }),
  );
}
