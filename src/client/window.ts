// A bound on what is outstanding, in requests and bytes. Who does not fit waits, first come first
// served: a small request does not pass a large one, or the large one might wait for ever. Pure.
import { assert } from '../base/assert.js'

export interface WindowLimits {
  readonly requests: number
  readonly bytes: number
}

interface Waiter {
  readonly bytes: number
  readonly enter: () => void
}

export class Window {
  readonly #limits: WindowLimits
  readonly #waiting = new Set<Waiter>()
  #requests = 0
  #bytes = 0

  constructor(limits: WindowLimits) {
    this.#limits = limits
  }

  get bytes(): number {
    return this.#bytes
  }

  get requests(): number {
    return this.#requests
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** Calls `enter` now or when there is room; the function returned gives up waiting for it. */
  enter(bytes: number, enter: () => void): () => void {
    assert(bytes <= this.#limits.bytes, 'one request fits the window')
    const waiter = { bytes, enter }
    this.#waiting.add(waiter)
    this.#admit()
    return () => {
      if (this.#waiting.delete(waiter)) this.#admit()
    }
  }

  /** Whether it has entered: there was room, and nobody waits for it. */
  tryEnter(bytes: number): boolean {
    assert(bytes <= this.#limits.bytes, 'one request fits the window')
    if (this.#waiting.size > 0 || !this.#hasRoom(bytes)) return false
    this.#add(bytes)
    return true
  }

  leave(bytes: number, requests = 1): void {
    this.#requests -= requests
    this.#bytes -= bytes
    assert(this.#requests >= 0 && this.#bytes >= 0, 'only who has entered leaves')
    this.#admit()
  }

  #admit(): void {
    for (const waiter of this.#waiting) {
      if (!this.#hasRoom(waiter.bytes)) return
      this.#waiting.delete(waiter)
      this.#add(waiter.bytes)
      waiter.enter()
    }
  }

  #hasRoom(bytes: number): boolean {
    const { requests, bytes: most } = this.#limits
    return this.#requests < requests && this.#bytes + bytes <= most
  }

  #add(bytes: number): void {
    this.#requests++
    this.#bytes += bytes
  }
}
