// Where the entries of one segment are. Frames are only ever appended: one that begins at an entry
// which is there takes the place of that entry and of all after it, here and in memory; on the disk
// the replaced ones stay behind, and nobody finds them any more.
import type { LogIndex } from '../../../net/manager-messages.js'
import type { FrameReference } from './segment-format.js'

export class FrameIndex {
  readonly #base: LogIndex
  // Only frames with entries; `count` without those that were replaced.
  readonly #frames: FrameReference[] = []

  constructor(base: LogIndex) {
    this.#base = base
  }

  /** Oldest first, as they are now: a copy. */
  frames(): FrameReference[] {
    return [...this.#frames]
  }

  /** Of the newest entry, or of the base. */
  get last(): LogIndex {
    const frame = this.#frames.at(-1)
    return frame ? ((frame.first + frame.count - 1) as LogIndex) : this.#base
  }

  /** Whether entries may begin here: behind the base, and without a gap. */
  accepts(first: LogIndex): boolean {
    return first > this.#base && first <= this.last + 1
  }

  add(frame: FrameReference): void {
    if (frame.count === 0) return
    let before = this.#frames.pop()
    while (before && before.first >= frame.first) before = this.#frames.pop()
    if (before) {
      const count = Math.min(before.count, frame.first - before.first)
      this.#frames.push({ ...before, count })
    }
    this.#frames.push(frame)
  }
}
