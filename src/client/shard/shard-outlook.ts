// A shard as its client knows it at the moment: what a request needs to know to find its way. (The
// implementation is in shard-line.ts.)
import type { Configuration, ShardAllocation } from '../../layout/configuration.js'
import type { AskedServers } from './routing.js'

export interface ShardView {
  readonly configuration: Configuration
  readonly allocation: ShardAllocation
}

export interface ShardOutlook {
  /** The newest; throws 'not-found' if the volume is gone. */
  look(): ShardView
  /** Calls `done` when nothing has to be replayed before other requests; returns the undo. */
  replayed(done: () => void): () => void
  readonly replaying: boolean
  /**
   * We wrote to it a moment ago: the primary knows that this is committed, while the others may
   * still have to hear of it, and would let a read wait.
   */
  readonly justWritten: boolean
  /** Where its requests are under way: they are told when that is not the one to ask any more. */
  readonly asked: AskedServers
}
