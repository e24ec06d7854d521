// What is left of emptying servers and of copies that are being made, for `status`. The bytes of a
// server that is emptied are an estimate: what it says that it holds, in equal parts for its
// shards, and of those under way what their new servers say that they still have to fetch.
// On every manager; only the leader is asked, and one that has just become it measures anew.
import type { Incarnation, PeerId, VolumeId } from '../../base/brands.js'
import type { Clock } from '../../base/clock.js'
import { PROGRESS_SAMPLE_MS } from '../../base/limits.js'
import type { Configuration } from '../../layout/configuration.js'
import { heldBy } from '../../layout/movement/newcomers.js'
import { holds, whatDrainWaitsFor } from '../../layout/movement/waiting.js'
import { isDraining } from '../../layout/replicas.js'
import type { DrainResult } from '../../net/admin.js'
import type { StorageReport } from '../../net/messages.js'
import type { ReplicatedHistory } from '../history/replicated-history.js'
import type { Reports } from '../reports.js'
import { ProgressState } from './progress-state.js'

export interface ProgressOptions {
  readonly clock: Clock
  readonly history: Pick<ReplicatedHistory, 'current' | 'leads'>
  readonly reports: Pick<Reports, 'servers'>
  readonly connected: () => ReadonlyMap<PeerId, Incarnation>
  /** Why the last move was refused; empty if it was not. */
  readonly refusal: () => string
}

/** What still has a copy on a server. */
interface Held {
  readonly shards: number
  /** Null: it has never said how much it holds. */
  readonly bytes: number | null
}

const bytesOf = (server: PeerId): string => `bytes of ${server}`
const shardsOf = (server: PeerId): string => `shards of ${server}`
const syncOf = (volume: VolumeId): string => `sync of ${volume}`

export class Progress {
  readonly #o: ProgressOptions
  readonly #state = new ProgressState()
  #lookedAt = -Infinity

  constructor(options: ProgressOptions) {
    this.#o = options
  }

  /** A storage server has reported: one look in a while is enough. */
  reported(): void {
    if (this.#o.clock.now() - this.#lookedAt >= PROGRESS_SAMPLE_MS) this.#look()
  }

  /** Null: it is not being emptied. */
  drainOf(server: PeerId): DrainResult | null {
    const configuration = this.#o.history.current()
    if (!configuration || !isDraining(configuration, server)) return null
    this.#look()
    const now = this.#o.clock.now()
    const bytes = bytesOf(server)
    const shards = this.#state.left(shardsOf(server)) ?? heldBy(configuration, server)
    const observed = { configuration, connected: this.#o.connected() }
    const waits = shards === 0 ? '' : (whatDrainWaitsFor(observed, server) ?? this.#o.refusal())
    return {
      shardsLeft: shards,
      bytesLeft: this.#state.left(bytes),
      secondsLeft: waits === '' ? this.#state.secondsLeft(bytes, now) : null,
      waitsFor: waits,
    }
  }

  /** For how long copies of this volume will still be made; null if nobody can tell. */
  syncSeconds(volume: VolumeId): number | null {
    return this.#state.secondsLeft(syncOf(volume), this.#o.clock.now())
  }

  #look(): void {
    const { clock, history, connected, reports } = this.#o
    this.#lookedAt = clock.now()
    const configuration = history.leads ? history.current() : null
    const left = new Map<string, number>()
    if (configuration) {
      for (const id of configuration.servers.keys()) {
        if (!isDraining(configuration, id)) continue
        const { shards, bytes } = this.#held(configuration, id)
        left.set(shardsOf(id), shards)
        if (bytes !== null) left.set(bytesOf(id), bytes)
      }
      for (const [volume, bytes] of bytesLeft(reports.servers, connected(), 'syncing')) {
        left.set(syncOf(volume), bytes)
      }
    }
    this.#state.note(clock.now(), left, key => key.startsWith('sync'))
  }

  #held(configuration: Configuration, server: PeerId): Held {
    const { servers } = this.#o.reports
    const shards = heldBy(configuration, server)
    const report = servers.get(server)
    if (shards === 0) return { shards, bytes: 0 }
    if (!report) return { shards, bytes: null }
    let underWay = 0
    let fetching = 0
    for (const [other, { syncing }] of servers) {
      if (other === server) continue
      for (const { volume, shard, bytesLeft: bytes } of syncing) {
        const allocation = configuration.volumes.get(volume)?.shards[shard]
        if (!allocation || !holds(allocation, server)) continue
        if (!allocation.replicas.some(replica => replica.server === other)) continue
        underWay++
        fetching += Math.min(bytes, report.used / shards)
      }
    }
    const waiting = Math.max(0, shards - underWay)
    return { shards, bytes: Math.round((report.used * waiting) / shards + fetching) }
  }
}

/** What syncing copies still have to fetch, or merges to copy, as far as servers have said. */
export function bytesLeft(
  reports: ReadonlyMap<PeerId, StorageReport>,
  connected: ReadonlyMap<PeerId, Incarnation>,
  of: 'syncing' | 'merging',
): ReadonlyMap<VolumeId, number> {
  const left = new Map<VolumeId, number>()
  for (const [server, report] of reports) {
    if (!connected.has(server)) continue
    for (const { volume, bytesLeft: bytes } of report[of]) {
      left.set(volume, (left.get(volume) ?? 0) + bytes)
    }
  }
  return left
}
