// The history as several managers keep it together: what one of them sees of it, and of who leads.
// Only the leader commits; the others follow, and pass on what only it can do.
import type { Epoch, PeerId } from '../../base/brands.js'
import type { Change } from '../../layout/change.js'
import type {
  ConfigurationHistory,
  ProposalOrigin,
  ProposalResult,
} from './configuration-history.js'

export interface ReplicatedHistory extends ConfigurationHistory {
  /** This manager leads, and everything that earlier leaders left is applied. */
  readonly leads: boolean
  readonly leader: PeerId | null
  /**
   * With `base`: refused as 'outdated' unless the newest configuration (not yet committed ones
   * included) has this epoch. 'no-leader' if this manager does not lead. Rejects with a
   * SwarmdiskError 'undecided' if leadership was lost while it was under way (it may or may not
   * have been done), or with one of the disk.
   */
  propose(change: Change, origin: ProposalOrigin, base?: Epoch): Promise<ProposalResult>
  /** Called when `leads` or `leader` change. Returns the way out. */
  onLeadership(listener: () => void): () => void
  /** A quorum has confirmed a moment ago that nobody else leads (Raft leader lease). */
  leaseValid(): boolean
}
