// The history of the configuration as the rest of the manager sees it: propose a change, learn what
// became of it, read what was committed. What is committed is durable and never taken back; two
// records never have the same epoch (I3). RaftHistory keeps it on the disks of all managers.
import type { Epoch, PeerId } from '../../base/brands.js'
import type { Change } from '../../layout/change.js'
import type { Configuration } from '../../layout/configuration.js'
import type { Delta } from '../../layout/delta.js'

export interface Vote {
  /** Identity of who voted. */
  readonly voter: string
  readonly role: 'manager' | 'storage'
  readonly approve: boolean
  /** Of a refusal: about degree or room, so that --force overrides it. */
  readonly policy: boolean
  /** Empty if there is nothing to say. */
  readonly reason: string
}

export interface ProposalOrigin {
  /** For people: "storage server a", "operator at client 3f2a91c0". */
  readonly proposer: string
  readonly votes: readonly Vote[]
}

export interface HistoryRecord extends ProposalOrigin {
  readonly epoch: Epoch
  /** ISO 8601, by the clock of the manager that committed it. */
  readonly at: string
  readonly change: Change
  /** The change as one line for people, with the names of the time it was made. */
  readonly text: string
}

export type ProposalResult =
  | { readonly kind: 'committed'; readonly record: HistoryRecord }
  /** `code`: which rule refused it; `reason`: a sentence; `by`: the storage server that did. */
  | {
      readonly kind: 'refused'
      readonly code: string
      readonly reason: string
      readonly by?: PeerId
    }

export interface ConfigurationHistory {
  /** The newest committed configuration; null before the cluster was created. */
  current(): Configuration | null
  /** Resolves when the change is durable or refused. Rejects with a SwarmdiskError of the disk. */
  propose(change: Change, origin: ProposalOrigin): Promise<ProposalResult>
  /** Records from this epoch on, oldest first; those compacted away are left out. */
  records(from: Epoch, limit: number): Promise<readonly HistoryRecord[]>
  /** What changed since an epoch; null if that is too long ago, or not in the past. */
  since(epoch: Epoch): Delta | null
  /** Called after commits; several changes committed together are one call. Returns the way out. */
  subscribe(listener: (configuration: Configuration) => void): () => void
}
