// The log of a process: pino on stderr, JSON lines, nothing below the chosen level.
import pino from 'pino'
import type { Log } from '../base/log.js'
import type { LogLevel } from './flags.js'

export function createLog(level: LogLevel, name: string): Log {
  const logger = pino(
    { name, level, base: { name }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  )
  return {
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
  }
}
