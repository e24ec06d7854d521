// Memory of frames that takes the network at its word: what is given back is spoiled at once, so
// whoever still reads it reads nonsense, which the checkers find.
import type { FrameMemory } from '../../src/net/wire/frame-memory.js'

const SPOILED = 0xdb

export class SpoiledFrames implements FrameMemory {
  /** How many were given back. */
  given = 0
  readonly #lent = new WeakSet<ArrayBufferLike>()

  take(bytes: number): Buffer {
    return Buffer.allocUnsafeSlow(bytes)
  }

  lend(frame: Uint8Array): void {
    this.#lent.add(frame.buffer)
  }

  give(view: Uint8Array): void {
    if (!this.#lent.delete(view.buffer)) return
    this.given++
    new Uint8Array(view.buffer).fill(SPOILED)
  }
}
