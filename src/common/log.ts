import { type Logger, pino } from 'pino';
import type { LogWriter } from './log-writer.ts';

export type Log = Logger;
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** JSON lines, one for each event, through a writer that no reader of the log can bring to a halt. */
export function createLog(level: LogLevel, writer: LogWriter): Log {
  return pino({ level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime }, writer);
}

/** A log that keeps nothing, for parts that are used on their own. */
export function silentLog(): Log {
  return pino({ level: 'silent' });
}
