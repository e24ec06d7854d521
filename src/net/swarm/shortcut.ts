// The way of a message between a link and its TCP socket, past the streams in between. Two of them
// (the Noise stream's and node's) queue it, count it and tell each other about it; that was a tenth
// of a small write. The bytes are the same: the shortcut goes on with the cipher of the stream,
// when nothing waits in it, and the stream still tells of the end.
//
//   message: length (3 bytes, the lowest first) │ ciphertext of: tag (1) │ frame │ MAC (16)
import type SecretStream from '@hyperswarm/secret-stream'
import type { MessageSocket } from './message-socket.js'

const LENGTH_BYTES = 3
const TAG_BYTES = 1
const MAC_BYTES = 16
const FRAME_AT = LENGTH_BYTES + TAG_BYTES

/** Both work in place: the frame stands behind the tag in the memory of its ciphertext. */
interface Cipher {
  next(from: Uint8Array, to: Uint8Array): unknown
}

/** What secret-stream 6 keeps to itself. */
interface Inside {
  readonly _encrypt?: Cipher | null
  readonly _decrypt?: Cipher | null
  readonly _writableState?: { readonly buffered?: number }
  readonly _readableState?: { readonly buffered?: number }
}

export interface ShortcutOptions {
  readonly stream: SecretStream
  readonly below: MessageSocket
  readonly received: (frame: Uint8Array) => void
}

export class Shortcut {
  readonly #options: ShortcutOptions
  readonly #encrypt: Cipher
  readonly #decrypt: Cipher
  /** The last memory that was given out, and the message around it. */
  #frame: Uint8Array | null = null
  #message: Buffer | null = null

  private constructor(options: ShortcutOptions, encrypt: Cipher, decrypt: Cipher) {
    this.#options = options
    this.#encrypt = encrypt
    this.#decrypt = decrypt
    options.below.divert(message => this.#receive(message))
  }

  /** From now on, of an admitted stream; null as long as something waits in it. */
  static take(options: ShortcutOptions): Shortcut | null {
    const { _encrypt, _decrypt, _writableState, _readableState } = options.stream as Inside
    const empty = _writableState?.buffered === 0 && _readableState?.buffered === 0
    if (!empty || !_encrypt || !_decrypt) return null
    return new Shortcut(options, _encrypt, _decrypt)
  }

  allocate(bytes: number): Uint8Array {
    this.#message = Buffer.allocUnsafe(FRAME_AT + bytes + MAC_BYTES)
    this.#frame = this.#message.subarray(FRAME_AT, FRAME_AT + bytes)
    return this.#frame
  }

  /** Bytes that wait in the socket then; `drain` of it says that none does any more. */
  send(frame: Uint8Array): number {
    if (frame !== this.#frame) this.allocate(frame.byteLength).set(frame)
    const message = this.#message!
    this.#frame = this.#message = null
    message.writeUIntLE(message.length - LENGTH_BYTES, 0, LENGTH_BYTES)
    const plain = message.subarray(FRAME_AT, message.length - MAC_BYTES)
    this.#encrypt.next(plain, message.subarray(LENGTH_BYTES))
    const { socket } = this.#options.below
    socket.write(message)
    return socket.writableLength
  }

  #receive(message: Buffer): void {
    const { stream, received } = this.#options
    const frame = message.subarray(FRAME_AT, message.length - MAC_BYTES)
    try {
      if (message.length < FRAME_AT + MAC_BYTES) throw new Error('a message is too short')
      this.#decrypt.next(message.subarray(LENGTH_BYTES), frame)
    } catch (error) {
      // Not what the other side sent. Nobody asks why a stream ended.
      stream.destroy(error as Error)
      return
    }
    // Empty messages keep a connection alive, and are no frames.
    if (frame.length > 0) received(frame)
  }
}
