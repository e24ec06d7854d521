// Many waits for a time, nearly all of which end before it comes, over one timer of the clock: to
// begin and to end one costs no more than an entry in a set. The timer is not moved when what it
// was set for ends; it then fires in vain, once, and is set for what falls due next.
import type { Clock, Timer } from './clock.js'

export interface Alarm {
  /** By the clock's now(); does not change while it is set. */
  readonly due: number
  /** Called once, at that time or later. */
  ring(): void
}

export class Alarms {
  readonly #clock: Clock
  readonly #alarms = new Set<Alarm>()
  #timer: Timer | null = null
  /** When the timer fires: never later than the first alarm falls due. */
  #next = Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(alarm: Alarm): void {
    this.#alarms.add(alarm)
    this.#fireBy(alarm.due)
  }

  /** Does nothing when it has rung. */
  delete(alarm: Alarm): void {
    this.#alarms.delete(alarm)
  }

  #fireBy(due: number): void {
    if (due >= this.#next) return
    this.#timer?.cancel()
    this.#next = due
    const delay = Math.max(0, due - this.#clock.now())
    this.#timer = this.#clock.after(delay, () => this.#fire())
  }

  #fire(): void {
    this.#timer = null
    this.#next = Infinity
    const now = this.#clock.now()
    for (const alarm of [...this.#alarms]) {
      // One that rang before it may have ended it.
      if (alarm.due <= now && this.#alarms.delete(alarm)) alarm.ring()
    }
    for (const { due } of this.#alarms) this.#fireBy(due)
  }
}
