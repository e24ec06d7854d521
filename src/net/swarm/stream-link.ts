// A link over an admitted Noise stream, over UDX or TCP: each message of the stream is one frame,
// which goes past the stream where there is a shortcut. A frame is encrypted when its turn comes,
// in place or in a copy, so what is handed to `send` must not be used any more. Liveness is not
// decided here: `closed` may come long after the peer died.
import type SecretStream from '@hyperswarm/secret-stream'
import { assert } from '../../base/assert.js'
import type { PeerId } from '../../base/brands.js'
import { FRAME_BYTES_MAX, LINK_BUFFER_BYTES, LINK_QUEUE_BYTES_MAX } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import type { Link, LinkEvents, LinkKind } from '../link.js'
import type { MessageSocket } from './message-socket.js'
import { Shortcut } from './shortcut.js'

export interface StreamLinkOptions {
  readonly stream: SecretStream
  readonly remote: PeerId
  readonly kind: LinkKind
  readonly log: Log
  /** The socket below, where messages can be had from it. */
  readonly below: MessageSocket | null
}

export class StreamLink implements Link {
  readonly remote: PeerId
  readonly kind: LinkKind
  readonly initiator: boolean
  readonly #stream: SecretStream
  readonly #below: MessageSocket | null
  #shortcut: Shortcut | null = null
  readonly #log: Log
  #events: LinkEvents | null = null
  /** Bytes that wait below, or at most that many: those since it was known to be drained. */
  #queued = 0
  /** `send` has returned false, so a `drain` is owed. */
  #stopped = false
  #closing = false

  constructor(options: StreamLinkOptions) {
    this.remote = options.remote
    this.kind = options.kind
    this.initiator = options.stream.isInitiator
    this.#stream = options.stream
    this.#below = options.below
    this.#log = options.log
    options.stream.on('data', (frame: Uint8Array) => this.#received(frame))
    options.stream.on('drain', () => this.#drained())
    // Half-open connections are of no use: a side that says goodbye is gone.
    options.stream.on('end', () => this.close())
    options.stream.on('close', () => this.#ended())
  }

  get listening(): boolean {
    return this.#events !== null
  }

  listen(events: LinkEvents): void {
    assert(this.#events === null, 'a link has one listener')
    this.#events = events
  }

  allocate(bytes: number): Uint8Array {
    this.#shortcut ??= this.#takeShortcut()
    return this.#shortcut?.allocate(bytes) ?? this.#stream.alloc(bytes)
  }

  send(frame: Uint8Array): boolean {
    // Empty messages are the keep-alive of the stream and would be swallowed on the other side.
    assert(frame.byteLength > 0, 'a frame is not empty')
    assert(frame.byteLength <= FRAME_BYTES_MAX, 'a frame fits the limit')
    if (this.#closing) return false
    this.#queued = this.#shortcut?.send(frame) ?? this.#write(frame)
    if (this.#queued > LINK_QUEUE_BYTES_MAX) {
      this.#log.warn('link closed: too much is queued on it', { peer: this.remote })
      this.close()
      return false
    }
    if (this.#queued < LINK_BUFFER_BYTES) return true
    this.#stopped = true
    return false
  }

  close(): void {
    if (this.#closing) return
    this.#closing = true
    this.#stream.destroy()
  }

  /** Through the stream. */
  #write(frame: Uint8Array): number {
    return this.#stream.write(frame) ? 0 : this.#queued + frame.byteLength
  }

  #takeShortcut(): Shortcut | null {
    if (!this.#below) return null
    const received = (frame: Uint8Array): void => this.#received(frame)
    const shortcut = Shortcut.take({ stream: this.#stream, below: this.#below, received })
    if (shortcut) this.#below.socket.on('drain', () => this.#drained())
    return shortcut
  }

  #received(frame: Uint8Array): void {
    if (this.#closing) return
    assert(this.#events !== null, 'a link is listened to before its first frame')
    if (frame.byteLength > FRAME_BYTES_MAX) {
      this.#log.warn('link closed: a frame is too large', { peer: this.remote })
      this.close()
      return
    }
    this.#events.frame(frame)
  }

  #drained(): void {
    this.#queued = 0
    if (!this.#stopped || this.#closing) return
    this.#stopped = false
    this.#events?.drain()
  }

  #ended(): void {
    this.#closing = true
    this.#events?.closed()
  }
}
