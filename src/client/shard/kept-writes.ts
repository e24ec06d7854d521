// The acknowledged writes of one shard that no FLUSH has covered yet, in the order of their
// acknowledgement: overlapping ones are acknowledged in the order in which they were made, so to
// replay the list in order is to repeat history (design §5, "Memory that was lost"). Pure.
import { assert } from '../../base/assert.js'
import type { ByteOffset } from '../../base/brands.js'

export interface KeptWrite {
  readonly offset: ByteOffset
  readonly payload: Uint8Array
}

/** Where the list ended when a FLUSH began. */
export type Mark = number

export class KeptWrites {
  #writes: KeptWrite[] = []
  /** Writes that were released so far: the mark of the first one kept. */
  #released = 0

  get size(): number {
    return this.#writes.length
  }

  add(write: KeptWrite): void {
    this.#writes.push(write)
  }

  mark(): Mark {
    return this.#released + this.#writes.length
  }

  list(): readonly KeptWrite[] {
    return [...this.#writes]
  }

  /** What was kept before the mark is durable now. */
  release(mark: Mark): { readonly requests: number; readonly bytes: number } {
    const requests = mark - this.#released
    assert(requests >= 0 && requests <= this.#writes.length, 'a mark of this list')
    const gone = this.#writes.slice(0, requests)
    this.#writes = this.#writes.slice(requests)
    this.#released = mark
    return { requests, bytes: gone.reduce((sum, write) => sum + write.payload.length, 0) }
  }
}

/** Cuts a list into runs of at most `limit` writes that do not overlap within a run, in order. */
export function replayRuns(
  writes: readonly KeptWrite[],
  limit: number,
): readonly (readonly KeptWrite[])[] {
  const runs: KeptWrite[][] = []
  let run: KeptWrite[] = []
  for (const write of writes) {
    if (run.length >= limit || run.some(other => overlap(other, write))) {
      runs.push(run)
      run = []
    }
    run.push(write)
  }
  if (run.length > 0) runs.push(run)
  return runs
}

function overlap(a: KeptWrite, b: KeptWrite): boolean {
  return a.offset < b.offset + b.payload.length && b.offset < a.offset + a.payload.length
}
