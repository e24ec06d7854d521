// Requests that cannot be decided yet wait here, within a limit of number and time (I9). Whoever
// resumes them has them decided again from the beginning.
import type { Clock, Timer } from '../base/clock.js'

export interface Parked {
  resume(): void
  /** It waited for too long, or too many wait already. */
  refuse(): void
}

export interface ParkingOptions {
  readonly clock: Clock
  readonly limit: number
}

interface Place {
  readonly parked: Parked
  readonly timer: Timer
}

const NOBODY: readonly Parked[] = []

export class Parking {
  readonly #clock: Clock
  readonly #limit: number
  readonly #places = new Set<Place>()

  constructor({ clock, limit }: ParkingOptions) {
    this.#clock = clock
    this.#limit = limit
  }

  get size(): number {
    return this.#places.size
  }

  /** `until`: when to give up, by the clock. */
  park(parked: Parked, until: number): void {
    const patience = until - this.#clock.now()
    if (this.#places.size >= this.#limit || patience <= 0) return parked.refuse()
    const timer = this.#clock.after(patience, () => {
      this.#places.delete(place)
      parked.refuse()
    })
    const place: Place = { parked, timer }
    this.#places.add(place)
  }

  resumeAll(): void {
    for (const parked of this.#take()) parked.resume()
  }

  refuseAll(): void {
    for (const parked of this.#take()) parked.refuse()
  }

  #take(): readonly Parked[] {
    if (this.#places.size === 0) return NOBODY // as nearly always, and it is asked for each write
    const places = [...this.#places]
    this.#places.clear()
    for (const { timer } of places) timer.cancel()
    return places.map(({ parked }) => parked)
  }
}
