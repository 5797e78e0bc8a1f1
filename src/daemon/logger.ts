import { pino } from 'pino';
import type { LogLevel } from '../config/options.ts';
import type { Logger } from '../kernel/logger.ts';

/** One JSON line an event on stdout, written at once: what was logged before a kill is there. */
export function createLogger(level: LogLevel): Logger & { level: string } {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 1, sync: true }),
  );
}
