// Puts the messages of a Noise stream over TCP together where they arrive. Each begins with its
// length (three bytes, the lowest first: the framing of @hyperswarm/secret-stream). Small ones are
// cut out of one buffer into which all sockets read by turns; the rest of a large one is written by
// the kernel to where it stays. So a message costs its own memory and no more, while a socket left
// to itself takes 64 KiB for each read, of which large messages are then put together in a copy.
//
//   the buffer:  … the beginning of a message, kept by its socket │ what one read brings
//                                                                 └ here the kernel writes
import { assert } from '../../base/assert.js'
import { LINK_MESSAGE_BYTES_MAX, LINK_READ_BYTES, UNADMITTED_BYTES_MAX } from '../../base/limits.js'

const LENGTH_BYTES = 3
/** From here on a message that has not arrived whole gets memory of its own. */
const LARGE_BYTES = LINK_READ_BYTES / 2

/** What is read is cut before anything else is read, so one of them does for all sockets. */
export class ReadBuffer {
  readonly bytes = Buffer.allocUnsafeSlow(LARGE_BYTES + LINK_READ_BYTES)
  readonly room = this.bytes.subarray(LARGE_BYTES)
}

export interface FrameAssemblerOptions {
  readonly buffer: ReadBuffer
  /** A whole message behind its length; nobody else has its memory. */
  readonly deliver: (message: Buffer) => void
  /** The next message is longer than is taken. Nothing is delivered any more. */
  readonly refuse: () => void
  /** Memory for a large message. */
  readonly take: (bytes: number) => Buffer
}

export class FrameAssembler {
  readonly #options: FrameAssemblerOptions
  /** The beginning of a message that is not large, as far as it has arrived. */
  #beginning: Buffer | null = null
  #large: Buffer | null = null
  /** Bytes of the large one that have arrived. */
  #arrived = 0
  /** The longest message that is taken. */
  #longest = UNADMITTED_BYTES_MAX
  #refused = false

  constructor(options: FrameAssemblerOptions) {
    this.#options = options
  }

  /**
   * The other side was admitted: it may send what a link carries. That comes a moment after its
   * proof was delivered; but it sends no more than a hello before it has heard ours.
   */
  trust(): void {
    this.#longest = LINK_MESSAGE_BYTES_MAX
  }

  /** Where the next bytes are to be written. Never empty. */
  room(): Buffer {
    return this.#large?.subarray(this.#arrived) ?? this.#options.buffer.room
  }

  /** So many bytes were written to where `room` said. */
  filled(bytes: number): void {
    if (this.#refused) return
    if (this.#large === null) {
      const held = this.#beginning?.length ?? 0
      this.#beginning?.copy(this.#options.buffer.bytes, LARGE_BYTES - held)
      return this.#cut(LARGE_BYTES - held, LARGE_BYTES + bytes)
    }
    this.#arrived += bytes
    assert(this.#arrived <= this.#large.length, 'no more arrives than there is room for')
    if (this.#arrived < this.#large.length) return
    const message = this.#large
    this.#large = null
    this.#options.deliver(message)
  }

  /** Delivers what is whole of these bytes of the shared buffer, and keeps the rest. */
  #cut(start: number, end: number): void {
    const shared = this.#options.buffer.bytes
    let at = start
    while (end - at >= LENGTH_BYTES) {
      const length = LENGTH_BYTES + shared.readUIntLE(at, LENGTH_BYTES)
      if (length > this.#longest) {
        this.#refused = true
        return this.#options.refuse()
      }
      if (length > end - at) {
        if (length <= LARGE_BYTES) break
        this.#large = this.#options.take(length)
        this.#arrived = shared.copy(this.#large, 0, at, end)
        at = end
        break
      }
      const message = Buffer.allocUnsafe(length)
      shared.copy(message, 0, at, at + length)
      at += length
      this.#options.deliver(message)
    }
    this.#beginning = at < end ? Buffer.from(shared.subarray(at, end)) : null
  }
}
