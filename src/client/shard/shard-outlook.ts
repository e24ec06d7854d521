// A shard as its client knows it at the moment: what a request needs to know to find its way. (The
// implementation is in shard-line.ts.)
import type { PeerId } from '../../base/brands.js'
import type { Configuration, ShardAllocation } from '../../layout/configuration.js'
import type { RequestKind } from './shard-request.js'

export interface ShardView {
  readonly configuration: Configuration
  readonly allocation: ShardAllocation
}

export interface Asked {
  readonly kind: RequestKind
  readonly server: PeerId
  readonly moved: () => void
}

export interface ShardOutlook {
  /** The newest; throws 'not-found' if the volume is gone. */
  look(): ShardView
  /** Calls `done` when nothing has to be replayed before other requests; returns the undo. */
  replayed(done: () => void): () => void
  readonly replaying: boolean
  /** Tells when a server that was asked is not the one to ask any more; returns the undo. */
  whenMoved(asked: Asked): () => void
}
