// The part of @hyperswarm/secret-stream that swarmdisk uses; the package has no types of its own.
declare module '@hyperswarm/secret-stream' {
  import type { EventEmitter } from 'node:events'
  import type { Duplex } from 'node:stream'

  interface SecretStreamOptions {
    readonly keyPair?: { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array }
  }

  /** Messages in, messages out: each `write` is one `data` event on the other side. */
  class SecretStream extends EventEmitter {
    constructor(isInitiator: boolean, rawStream: Duplex, options?: SecretStreamOptions)
    readonly isInitiator: boolean
    /** The UDX stream or TCP socket below. */
    readonly rawStream: EventEmitter
    readonly publicKey: Uint8Array
    /** These two are null until the Noise handshake is done. */
    readonly remotePublicKey: Uint8Array | null
    readonly handshakeHash: Uint8Array | null
    readonly destroying: boolean
    /** True when the handshake is done, false when the stream was destroyed before. */
    readonly opened: Promise<boolean>
    write(message: Uint8Array): boolean
    /** Memory that is encrypted in place if it is what is written next. */
    alloc(bytes: number): Uint8Array
    destroy(error?: Error): void
  }

  export = SecretStream
}
