// The part of hyperswarm that swarmdisk uses; the package has no types of its own.
declare module 'hyperswarm' {
  import type HyperDHT from 'hyperdht'
  import type SecretStream from '@hyperswarm/secret-stream'

  namespace Hyperswarm {
    interface Options {
      readonly dht?: HyperDHT
      readonly keyPair?: HyperDHT.KeyPair
      readonly maxPeers?: number
      readonly maxParallel?: number
    }
    interface Session {
      /** Looks up (and announces, for servers) again; false if that failed. */
      refresh(): Promise<boolean>
    }
  }

  class Hyperswarm {
    constructor(options?: Hyperswarm.Options)
    readonly dht: HyperDHT
    /** `refresh`: announces our public key again, within 3 s; nothing while it does not listen. */
    readonly server: { refresh(): void }
    on(event: 'connection', listener: (stream: SecretStream) => void): this
    join(
      topic: Uint8Array,
      options: { readonly server: boolean; readonly client: boolean },
    ): Hyperswarm.Session
    joinPeer(publicKey: Uint8Array): void
    destroy(options?: { readonly force?: boolean }): Promise<void>
  }

  export = Hyperswarm
}
