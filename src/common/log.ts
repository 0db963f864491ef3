import { type DestinationStream, destination, type Logger, pino } from 'pino';

export type Log = Logger;
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * JSON lines on stderr, batched (4 KiB or a quarter of a second) so that a request costs no system call of its own.
 * Call `flush` before the process ends.
 */
export function createLog(level: LogLevel, stream?: DestinationStream): { log: Log; flush: () => void } {
  const target = stream ?? destination({ fd: 2, sync: true, minLength: 4096 });
  const log = pino({ level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime }, target);
  const flush = () => {
    if ('flushSync' in target) (target as { flushSync(): void }).flushSync();
  };
  if (!stream) setInterval(flush, 250).unref();
  return { log, flush };
}

/** A log that keeps nothing, for parts that are used on their own. */
export function silentLog(): Log {
  return pino({ level: 'silent' });
}
