// What a storage server is made of, and what it says of itself when it registers.
import type { ByteCount, Incarnation } from '../base/brands.js'
import type { Clock } from '../base/clock.js'
import type { Log } from '../base/log.js'
import type { Random } from '../base/random.js'
import type { Disk } from '../disk/disk.js'
import type { Address } from '../layout/configuration.js'
import type { ConfigurationWatch } from '../net/configuration-watch.js'
import type { Peers } from '../net/peers.js'
import type { BlockStore } from './shard-store.js'

export interface StorageSelf {
  readonly name: string
  readonly domain: string
  readonly capacity: ByteCount
  readonly weight: number
  readonly incarnation: Incarnation
  /** Known once the network has started. */
  addresses(): readonly Address[]
}

export interface StorageServerOptions {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly peers: Peers
  readonly watch: Pick<ConfigurationWatch, 'current' | 'subscribe' | 'wanted'>
  readonly store: BlockStore
  readonly log: Log
  readonly self: StorageSelf
  /** Bytes a second for catching up, in and out; default: RECOVERY_BYTES_PER_SECOND. */
  readonly maxRecovery?: ByteCount
  readonly onRegistered?: () => void
  /** With a sentence for people: this server may not take part. */
  readonly onRefused?: (reason: string) => void
}
