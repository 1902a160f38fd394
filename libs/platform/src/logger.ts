import { currentTraceIds } from '@patchtrail/telemetry';
import { destination, type Logger as PinoLogger, pino } from 'pino';

export type Logger = PinoLogger;
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

const STDERR = 2;
const SECRETS = ['authorization', 'token', 'credential', 'secret', 'password'];

/** JSON lines on stderr, with the ids of the span they are written in. Log ids and numbers, never payloads; what looks like a secret is cut. */
export function createLogger(name: string, level: LogLevel = 'info', fd: number = STDERR): Logger {
  const paths = SECRETS.flatMap((key) => [key, `*.${key}`]);
  return pino(
    {
      level,
      redact: { paths, censor: '[cut]' },
      base: { name },
      mixin: () => currentTraceIds() ?? {},
    },
    destination({ dest: fd, sync: true }),
  );
}
