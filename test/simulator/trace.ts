// What happened in a run, line by line, with the virtual time and the process: the same for the
// same seed, byte for byte. Off unless somebody listens, because lines take time to make.
import type { Clock } from '../../src/base/clock.js'
import { silentLog, type Log, type LogFields } from '../../src/base/log.js'

export type Sink = (line: string) => void

export class Trace {
  readonly #clock: Clock
  readonly #sink: Sink | null

  constructor(clock: Clock, sink: Sink | null) {
    this.#clock = clock
    this.#sink = sink
  }

  get on(): boolean {
    return this.#sink !== null
  }

  say(who: string, what: string, fields: LogFields = {}): void {
    if (!this.#sink) return
    const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${String(value)}`)
    this.#sink(`${this.#clock.now().toFixed(3)} ${who} ${what}${rest.join('')}`)
  }

  /** The log of one process. */
  log(who: string): Log {
    if (!this.#sink) return silentLog
    const at = (level: string) => (message: string, fields?: LogFields) =>
      this.say(who, `${level} ${message}`, fields)
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  }
}

/** A message in a few words: its small fields; of bytes and lists the length. */
export function brief(message: unknown): LogFields {
  if (typeof message !== 'object' || message === null) return {}
  return Object.fromEntries(
    Object.entries(message).map(([key, value]: [string, unknown]) => [key, short(value)]),
  )
}

function short(value: unknown): string | number | boolean | null {
  if (value instanceof Uint8Array) return `${value.byteLength}B:${value[0] ?? ''}`
  if (Array.isArray(value)) return `[${value.length}]`
  if (typeof value === 'object' && value !== null) {
    const { kind } = value as { readonly kind?: unknown }
    return typeof kind === 'string' ? `{${kind}}` : '{}'
  }
  if (typeof value === 'string') return value.length > 24 ? value.slice(-6) : value
  return typeof value === 'number' || typeof value === 'boolean' ? value : null
}
