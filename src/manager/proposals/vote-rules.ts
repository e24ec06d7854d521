// Which changes are voted on (design §4). Pure.
import { exhaustive } from '../../base/assert.js'
import type { Change } from '../../layout/change.js'
import type { Configuration } from '../../layout/configuration.js'

/**
 * Decisions are voted on, by the storage servers they touch and by the managers. Facts, which only
 * record what has already happened or what follows from it by rule, need the majority that commits
 * them and nothing else: one manager with an odd view must not hold up failover.
 */
export function isVotedOn(before: Configuration, change: Change): boolean {
  switch (change.kind) {
    case 'cluster-created':
    case 'manager-updated':
    case 'server-down':
    case 'shards-reallocated':
    case 'replicas-caught-up':
    // Who may write is nobody's copy: nothing moves, and taking over must not wait for votes.
    case 'volume-attached':
    case 'volume-detached':
    // Nor does a snapshot move anything: who is asked has said that it is ready, or is not needed.
    case 'volumes-sealed':
    case 'snapshots-created':
    case 'seals-lifted':
      return false
    case 'server-registered':
      // That a known server was started again is a fact, that a new one joins a decision.
      return !before.servers.has(change.server.id)
    case 'manager-added':
    case 'manager-removed':
    case 'server-removed':
    case 'shard-promoted':
    case 'server-state':
    case 'shards-moved':
    case 'replicas-suspended':
    case 'volume-created':
    case 'volume-deleted':
    case 'volume-resized':
    case 'snapshot-deleted':
    case 'volume-rolled-back':
    case 'volume-cloned':
    case 'volume-flattened':
    case 'volume-set':
      return true
    default:
      return exhaustive(change)
  }
}
