// The server as its replicas see it, and its own state of health: free space, corrupt blocks seen.
import { byteCount, type ByteCount } from '../base/brands.js'
import { isSwarmdiskError } from '../base/errors.js'
import {
  CATCH_UPS_AT_ONCE,
  CORRUPT_BLOCKS_REMEMBERED,
  FREE_SPACE_RESERVE_BYTES,
  RECOVERY_BYTES_PER_SECOND,
} from '../base/limits.js'
import type { ClientActivity } from './client-activity.js'
import type { ReplicaHost } from './replica/replica-context.js'
import { RecoveryBudget } from './recovery-budget.js'
import { Slots } from './slots.js'
import type { StorageServerOptions } from './storage-server-options.js'

/** Small disks keep a smaller part free. */
const RESERVE_PART = 1 / 50

export interface ServerCondition {
  readonly host: ReplicaHost
  readonly corruptBlocks: number
  readonly problem: string
  /** Looks at the disk. */
  measure(): Promise<{ readonly used: ByteCount; readonly free: ByteCount }>
}

export function createHost(
  options: StorageServerOptions,
  server: Pick<
    ReplicaHost,
    'dispatch' | 'propose' | 'suspend' | 'sealed' | 'leaseValid' | 'fenced'
  >,
  clients: ClientActivity,
): ServerCondition {
  const { clock, peers, log, watch, disk, store, self } = options
  const corrupt = new Set<string>()
  let full = false
  let problem = ''
  const host: ReplicaHost = {
    self: peers.self,
    incarnation: self.incarnation,
    clock,
    peers,
    log,
    catchUps: new Slots(CATCH_UPS_AT_ONCE),
    recovery: new RecoveryBudget({
      ...{ clock, clients },
      bytesPerSecond: options.maxRecovery ?? RECOVERY_BYTES_PER_SECOND,
    }),
    noRoom: () => full,
    wantEpoch: epoch => watch.wanted(epoch),
    ...server,
    foundCorrupt(shard, blocks) {
      log.error('blocks whose checksum does not match', { ...shard, blocks: blocks.join(' ') })
      for (const block of blocks) {
        if (corrupt.size < CORRUPT_BLOCKS_REMEMBERED) {
          corrupt.add(`${shard.volume}/${shard.shard}/${block}`)
        }
      }
    },
  }
  const measure = async (): ReturnType<ServerCondition['measure']> => {
    const used = byteCount(store.used())
    try {
      const { total, free } = await disk.space()
      full = free < Math.min(FREE_SPACE_RESERVE_BYTES, total * RESERVE_PART) || used > self.capacity
      problem = full ? 'no space left: writes wait until there is some' : ''
      return { used, free: byteCount(Math.floor(free)) }
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      problem = error.message
      return { used, free: byteCount(0) }
    }
  }
  return {
    host,
    measure,
    get corruptBlocks() {
      return corrupt.size
    },
    get problem() {
      return problem
    },
  }
}
