// What every part writes its log to. The command line gives it a pino logger on stderr; tests and
// the simulator collect or drop the lines. Secrets never go in: fields are names, numbers, ids.

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>

export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

const drop = (): void => undefined

export const silentLog: Log = { debug: drop, info: drop, warn: drop, error: drop }
