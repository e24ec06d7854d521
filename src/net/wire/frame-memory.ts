// Memory of large frames that arrive, used again and again: a fresh one for each, and the garbage
// collector looks through the whole heap for every few that came and went. A frame is lent to
// whoever reads it; who has copied out what it wanted gives it back, and who does not need not.
//
//   spare ── take ──► filled by the network ── lend: one message in it ──► read ── give ──► spare
//                          └── several messages: left to the garbage collector, as what is dropped
//
// Invariant: what was given back and is taken again is referred to by nobody else. So only frames
// with a single message are lent, since whoever gives one back knows of its own message alone.
import { assert } from '../../base/assert.js'
import {
  REUSED_HEADER_ROOM,
  REUSED_PAYLOAD_MAX,
  REUSED_PAYLOAD_MIN,
  SPARE_FRAMES_BYTES,
} from '../../base/limits.js'

export interface FrameMemory {
  /** Its content is anything. */
  take(bytes: number): Buffer
  /** The frame holds one message, and nobody but its reader refers to it. */
  lend(frame: Uint8Array): void
  /** A view on a frame is not needed any more, nor anything else of it. Others are ignored. */
  give(view: Uint8Array): void
}

export class ReusedFrames implements FrameMemory {
  /** By size: powers of two, and room for what is around the payload. */
  readonly #spare = new Map<number, Buffer[]>()
  #spareBytes = 0
  readonly #taken = new WeakSet<ArrayBufferLike>()
  readonly #lent = new WeakSet<ArrayBufferLike>()

  take(bytes: number): Buffer {
    if (bytes < REUSED_PAYLOAD_MIN || bytes > REUSED_PAYLOAD_MAX + REUSED_HEADER_ROOM) {
      return Buffer.allocUnsafeSlow(bytes)
    }
    const size = sizeFor(bytes)
    const spare = this.#spare.get(size)?.pop()
    if (spare) this.#spareBytes -= size
    const memory = spare ?? Buffer.allocUnsafeSlow(size)
    this.#taken.add(memory.buffer)
    return memory.subarray(0, bytes)
  }

  lend(frame: Uint8Array): void {
    if (this.#taken.delete(frame.buffer)) this.#lent.add(frame.buffer)
  }

  give(view: Uint8Array): void {
    if (!this.#lent.delete(view.buffer)) return
    const memory = Buffer.from(view.buffer)
    const size = memory.length
    assert(size === sizeFor(size), 'what was taken has one of the sizes')
    if (this.#spareBytes + size > SPARE_FRAMES_BYTES) return
    this.#spareBytes += size
    const spare = this.#spare.get(size)
    if (spare) spare.push(memory)
    else this.#spare.set(size, [memory])
  }
}

function sizeFor(bytes: number): number {
  const payload = Math.max(bytes - REUSED_HEADER_ROOM, REUSED_PAYLOAD_MIN)
  return 2 ** Math.ceil(Math.log2(payload)) + REUSED_HEADER_ROOM
}

/** For whoever has no network of its own to take frames from. */
export const UNSHARED_FRAMES: Pick<FrameMemory, 'give'> = { give: () => undefined }
