// Numbers of one shard's writes, by which storage servers recognise a retry, and what they may
// forget: all numbers below `completeBelow`. Numbers come from one counter of the client, but what
// is complete is counted shard by shard (as the servers' once tables are), so that one shard whose
// writes are held does not keep the tables of all the others growing. Pure.
import { assert } from '../../base/assert.js'
import { requestNumber, type RequestNumber } from '../../base/brands.js'

/** The counter all shards of a client share. */
export class RequestCounter {
  #next: number

  constructor(first = 1) {
    this.#next = first
  }

  take(): RequestNumber {
    return requestNumber(this.#next++)
  }

  get next(): RequestNumber {
    return requestNumber(this.#next)
  }
}

interface Entry {
  readonly number: RequestNumber
  complete: boolean
}

export class RequestNumbers {
  readonly #counter: RequestCounter
  readonly #limit: number
  readonly #entries = new Map<RequestNumber, Entry>()
  readonly #waiting = new Set<() => void>()

  /** `limit`: how many numbers a server may have to remember for one shard of this client. */
  constructor(counter: RequestCounter, limit: number) {
    this.#counter = counter
    this.#limit = limit
  }

  /** The lowest number that is not complete, or the next one. */
  get completeBelow(): RequestNumber {
    for (const number of this.#entries.keys()) return number
    return this.#counter.next
  }

  /** A number may be taken now, and nobody waits for one. */
  get hasRoom(): boolean {
    return this.#waiting.size === 0 && this.#entries.size < this.#limit
  }

  /** Calls `ready` when a number may be taken; the function returned stops waiting. */
  room(ready: () => void): () => void {
    this.#waiting.add(ready)
    this.#admit()
    return () => this.#waiting.delete(ready)
  }

  take(): RequestNumber {
    const number = this.#counter.take()
    this.#entries.set(number, { number, complete: false })
    return number
  }

  /** Nothing with this number will be sent again, and nobody waits for its outcome. */
  complete(number: RequestNumber): void {
    const entry = this.#entries.get(number)
    assert(entry && !entry.complete, 'a number is completed once')
    entry.complete = true
    for (const first of this.#entries.values()) {
      if (!first.complete) break
      this.#entries.delete(first.number)
    }
    this.#admit()
  }

  #admit(): void {
    for (const ready of this.#waiting) {
      if (this.#entries.size >= this.#limit) return
      this.#waiting.delete(ready)
      ready()
    }
  }
}
