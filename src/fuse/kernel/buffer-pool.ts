// Memory for frames, answers and payloads, used again and again: a fresh megabyte for each request
// would cost more than carrying it. Whoever took a buffer gives it back when nobody can touch it
// any more, and simply drops one that somebody may still hold.
import { assert } from '../../base/assert.js'
import {
  FUSE_FRAME_BYTES,
  FUSE_SMALL_BUFFER_BYTES,
  FUSE_SPARE_FRAMES_MAX,
  FUSE_SPARE_SMALL_BUFFERS_MAX,
} from '../../base/limits.js'

export class BufferPool {
  readonly #small: Buffer[] = []
  readonly #frames: Buffer[] = []

  /** At least `bytes` long; its content is anything. */
  take(bytes: number): Buffer {
    if (bytes <= FUSE_SMALL_BUFFER_BYTES) {
      return this.#small.pop() ?? Buffer.allocUnsafeSlow(FUSE_SMALL_BUFFER_BYTES)
    }
    assert(bytes <= FUSE_FRAME_BYTES, 'no request is larger than a frame')
    return this.#frames.pop() ?? Buffer.allocUnsafeSlow(FUSE_FRAME_BYTES)
  }

  give(buffer: Buffer): void {
    if (buffer.length === FUSE_FRAME_BYTES) {
      if (this.#frames.length < FUSE_SPARE_FRAMES_MAX) this.#frames.push(buffer)
      return
    }
    assert(buffer.length === FUSE_SMALL_BUFFER_BYTES, 'a whole buffer of this pool')
    if (this.#small.length < FUSE_SPARE_SMALL_BUFFERS_MAX) this.#small.push(buffer)
  }
}
