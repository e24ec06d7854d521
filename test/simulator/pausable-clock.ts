// The clock of a host, whose process can be frozen and thawed, as by SIGSTOP and SIGCONT: what
// falls due meanwhile, and whatever else is to be told to the process, waits. Then it comes all
// at once, one thing after the other, before anything that falls due later.
import type { Milliseconds } from '../../src/base/brands.js'
import type { Clock, Timer } from '../../src/base/clock.js'

export class PausableClock implements Clock {
  readonly #clock: Clock
  /** Null while the process runs. */
  #held: (() => void)[] | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get frozen(): boolean {
    return this.#held !== null
  }

  now(): Milliseconds {
    return this.#clock.now()
  }

  date(): string {
    return this.#clock.date()
  }

  time(): number {
    return this.#clock.time()
  }

  after(delay: number, callback: () => void): Timer {
    let cancelled = false
    const fire = (): void => {
      // One that is due already may be cancelled by another that was due before it.
      if (!cancelled) callback()
    }
    const timer = this.#clock.after(delay, () => this.tell(fire))
    return {
      cancel: () => {
        cancelled = true
        timer.cancel()
      },
    }
  }

  /** Now, or when the process goes on. */
  tell(what: () => void): void {
    if (this.#held) this.#held.push(what)
    else what()
  }

  freeze(): void {
    this.#held ??= []
  }

  /** `first`: brings about what the process finds before its timers. */
  thaw(first: () => void = () => undefined): void {
    const held = this.#held ?? []
    this.#held = null
    first()
    for (const what of held) this.#clock.after(0, () => this.tell(what))
  }
}
