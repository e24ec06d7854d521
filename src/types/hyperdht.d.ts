// The part of hyperdht that swarmdisk uses; the package has no types of its own.
declare module 'hyperdht' {
  import type SecretStream from '@hyperswarm/secret-stream'

  namespace HyperDHT {
    interface KeyPair {
      readonly publicKey: Uint8Array
      readonly secretKey: Uint8Array
    }
    interface NodeAddress {
      readonly host: string
      readonly port: number
    }
    interface Options {
      readonly bootstrap?: readonly NodeAddress[]
      readonly keyPair?: KeyPair
      /** A port to try first, or a range; `[0, 0]` is any free port. */
      readonly port?: number | readonly [number, number]
      readonly host?: string
      readonly ephemeral?: boolean
      readonly firewalled?: boolean
      readonly anyPort?: boolean
      /**
       * Waiting times of requests, in milliseconds: to unknown nodes by attempt, and to known
       * ones.
       */
      readonly adaptiveTimeout?: {
        readonly fallback: readonly number[]
        readonly min: number
        readonly jitter: number
      }
    }
  }

  class HyperDHT {
    constructor(options?: HyperDHT.Options)
    static keyPair(seed?: Uint8Array): HyperDHT.KeyPair
    static bootstrapper(port: number, host: string, options?: HyperDHT.Options): HyperDHT
    /** The nodes of the routing table that have answered. */
    readonly nodes: { readonly length: number }
    bind(): Promise<void>
    fullyBootstrapped(): Promise<void>
    connect(publicKey: Uint8Array, options?: { readonly keyPair?: HyperDHT.KeyPair }): SecretStream
    destroy(options?: { readonly force?: boolean }): Promise<void>
  }

  export = HyperDHT
}
