// How far a benchmark is, and what holds it up, told again and again while it runs. Of an operation
// that was given up by --io-timeout it knows what that had waited for.
import type { Clock, Timer } from '../../base/clock.js'
import { SwarmdiskError } from '../../base/errors.js'
import { BENCH_TELL_MS } from '../../base/limits.js'
import type { HeldState } from '../volume-driver.js'

export interface BenchProgress {
  /** From 0 to 1, of everything. */
  readonly part: number
  readonly what: string
  /** What it waits for, while I/O is held. */
  readonly held: string | null
}

export interface ReporterOptions {
  readonly clock: Clock
  readonly held: () => HeldState | null
  readonly tell: (progress: BenchProgress) => void
}

interface Span {
  /** Of everything, when it begins. */
  readonly part: number
  /** What it adds. */
  readonly of: number
  readonly milliseconds: number
}

export class Reporter {
  readonly #options: ReporterOptions
  #timer: Timer
  #what = ''
  /** Of the job that runs, and when it began. */
  #span: (Span & { readonly since: number }) | null = null
  #held: string | null = null

  constructor(options: ReporterOptions) {
    this.#options = options
    this.#timer = options.clock.after(BENCH_TELL_MS, () => this.#tick())
  }

  /** Something of which nobody knows how long it takes. */
  doing(what: string): void {
    this.#what = what
  }

  job(name: string, span: Span): void {
    this.#what = name
    this.#span = { ...span, since: this.#options.clock.now() }
  }

  end(): void {
    this.#timer.cancel()
  }

  /** A timeout, and what was waited for when it struck. */
  withReason(error: SwarmdiskError): SwarmdiskError {
    if (error.code !== 'io-timeout' || this.#held === null) return error
    const text = `${error.message.replace(/[.]$/, '')}, ${this.#held}.`
    return new SwarmdiskError(error.code, text, { cause: error })
  }

  #tick(): void {
    const { clock, held, tell } = this.#options
    this.#timer = clock.after(BENCH_TELL_MS, () => this.#tick())
    this.#held = held()?.reason ?? null
    tell({ part: this.#part(clock.now()), what: this.#what, held: this.#held })
  }

  #part(now: number): number {
    if (this.#span === null) return 0
    const { part, of, milliseconds, since } = this.#span
    return part + of * Math.min(1, (now - since) / milliseconds)
  }
}
