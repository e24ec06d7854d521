// Whether a configuration still fits the frame in which peers get it, and their memory: limits for
// all volumes together. The leader asks before it commits a change that adds to them. `apply` does
// not: what was committed once, perhaps by a release without these limits, has to be repeatable.
import {
  ATTACHMENTS_IN_CLUSTER_MAX,
  COPIES_IN_CLUSTER_MAX,
  REPLICAS_ON_THE_WAY,
  SNAPSHOTS_IN_CLUSTER_MAX,
} from '../../base/limits.js'
import type { Configuration } from '../configuration.js'
import { refuse, type Refusal } from '../outcome.js'

interface Contents {
  /** As many as are wanted, each shard with one on its way. */
  copies: number
  /** Those that are being made count as made. */
  snapshots: number
  attachments: number
}

/** Null: it fits, or is no larger than it was. */
export function roomProblem(before: Configuration, after: Configuration): Refusal | null {
  if (after.volumes === before.volumes) return null
  const now = contentsOf(after)
  const full =
    now.copies > COPIES_IN_CLUSTER_MAX ||
    now.snapshots > SNAPSHOTS_IN_CLUSTER_MAX ||
    now.attachments > ATTACHMENTS_IN_CLUSTER_MAX
  if (!full) return null
  const known = contentsOf(before)
  if (now.copies > Math.max(known.copies, COPIES_IN_CLUSTER_MAX)) return tooManyCopies(now.copies)
  if (now.snapshots > Math.max(known.snapshots, SNAPSHOTS_IN_CLUSTER_MAX)) {
    return refuse(
      'too-many',
      `The volumes of a cluster have at most ${number(SNAPSHOTS_IN_CLUSTER_MAX)} snapshots ` +
        'together: delete some first.',
    )
  }
  if (now.attachments <= Math.max(known.attachments, ATTACHMENTS_IN_CLUSTER_MAX)) return null
  return refuse(
    'too-many',
    `The volumes of a cluster are attached at most ${number(ATTACHMENTS_IN_CLUSTER_MAX)} times ` +
      'together: detach some first.',
  )
}

/** The same for a volume that is only planned. */
export function copiesProblem(
  configuration: Configuration,
  more: { readonly shards: number; readonly replicas: number },
): Refusal | null {
  const { copies } = contentsOf(configuration)
  const sum = copies + more.shards * (more.replicas + REPLICAS_ON_THE_WAY)
  return sum > COPIES_IN_CLUSTER_MAX ? tooManyCopies(sum) : null
}

function contentsOf({ volumes }: Configuration): Contents {
  const sum: Contents = { copies: 0, snapshots: 0, attachments: 0 }
  for (const { shards, replicas, snapshots, seal, attachments } of volumes.values()) {
    sum.copies += shards.length * (replicas + REPLICAS_ON_THE_WAY)
    sum.snapshots += snapshots.length + (seal === null ? 0 : 1)
    sum.attachments += attachments.length
  }
  return sum
}

function tooManyCopies(copies: number): Refusal {
  return refuse(
    'too-many',
    'The volumes of the cluster would have too many shards for a configuration, ' +
      `${number(copies)} copies with those on their way, and ${number(COPIES_IN_CLUSTER_MAX)} is ` +
      'the most: delete volumes first, or make this one smaller or with fewer replicas.',
  )
}

const number = (n: number): string => n.toLocaleString('en')
