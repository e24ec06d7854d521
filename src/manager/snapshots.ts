// Snapshots, at the leader (design §6): seals the volumes, collects what their primaries say, and
// has the snapshot committed when all have said that they are ready; or lifts the seals when one
// does not say so in time. A seal that is nobody's work here is lifted as well: another manager
// began it, and does not lead any more.
import type { Epoch, PeerId, VolumeId } from '../base/brands.js'
import type { Clock } from '../base/clock.js'
import { isSwarmdiskError } from '../base/errors.js'
import { SEAL_LIMIT_MS, SNAPSHOT_ATTEMPTS_MAX } from '../base/limits.js'
import type { Log } from '../base/log.js'
import type { Change, SealedVolume, SnapshotName } from '../layout/change.js'
import type { Configuration } from '../layout/configuration.js'
import type { SealedShards } from '../net/messages.js'
import type { HistoryRecord, ProposalResult } from './history/configuration-history.js'
import type { ReplicatedHistory } from './history/replicated-history.js'
import { OneAtATime } from './one-at-a-time.js'

export interface SnapshotsOptions {
  readonly clock: Clock
  readonly log: Log
  readonly history: Pick<ReplicatedHistory, 'current' | 'leads' | 'subscribe'>
  readonly propose: (change: Change, proposer?: string) => Promise<ProposalResult>
}

/** What is asked for: a name, and where its content was imported from. */
export type WantedSnapshot = SnapshotName & Pick<SealedVolume, 'source'>

type Committed = Extract<ProposalResult, { kind: 'committed' }>
type Refused = Exclude<ProposalResult, Committed>

export class Snapshots {
  readonly #o: SnapshotsOptions
  /** Being made here, from before they are sealed: their seals are nobody else's work. */
  readonly #own = new Set<readonly WantedSnapshot[]>()
  /** By shard, the allocation whose primary is ready, with the seal it is ready for. */
  readonly #ready = new Map<string, { readonly allocation: Epoch; readonly seal: Epoch }>()
  readonly #waiting = new Set<() => void>()
  readonly #lifting = new OneAtATime(() => this.#liftOrphans())

  constructor(options: SnapshotsOptions) {
    this.#o = options
  }

  /** Something has changed: perhaps a seal was left behind. */
  consider(): void {
    for (const look of [...this.#waiting]) look()
    if (this.#orphans().length > 0) this.#lifting.ask()
  }

  /** What a primary says, again and again. */
  sealed(from: PeerId, { shards }: SealedShards): void {
    const configuration = this.#leading()
    for (const { volume, shard, allocation, seal } of shards) {
      const known = configuration?.volumes.get(volume)
      const place = known?.shards[shard]
      if (known?.seal?.epoch !== seal || place?.epoch !== allocation) continue
      if (place.replicas[0]?.server !== from) continue
      this.#ready.set(`${volume}/${shard}`, { allocation, seal })
    }
    for (const look of [...this.#waiting]) look()
  }

  /** All of one point in time. */
  async create(
    snapshots: readonly WantedSnapshot[],
    proposer: string,
  ): Promise<{ readonly kind: 'made'; readonly record: HistoryRecord } | Refused> {
    this.#own.add(snapshots)
    try {
      const names = snapshots.map(({ volume, name }) => ({ volume, name }))
      const sealed = await this.#o.propose({ kind: 'volumes-sealed', snapshots: names }, proposer)
      if (sealed.kind === 'refused') return sealed
      return await this.#make({ snapshots, seal: sealed.record.epoch, proposer })
    } finally {
      this.#own.delete(snapshots)
      for (const { volume } of snapshots) this.#forget(volume)
      this.consider()
    }
  }

  #forget(volume: VolumeId): void {
    for (const key of this.#ready.keys()) if (key.startsWith(`${volume}/`)) this.#ready.delete(key)
  }

  async stop(): Promise<void> {
    await this.#lifting.stop()
    for (const look of [...this.#waiting]) look()
  }

  async #make(work: {
    readonly snapshots: readonly WantedSnapshot[]
    readonly seal: Epoch
    readonly proposer: string
  }): Promise<{ readonly kind: 'made'; readonly record: HistoryRecord } | Refused> {
    const { clock, propose } = this.#o
    const { snapshots, seal, proposer } = work
    const until = clock.now() + SEAL_LIMIT_MS
    for (let attempt = 0; attempt < SNAPSHOT_ATTEMPTS_MAX; attempt++) {
      const ready = await this.#untilReady(snapshots, seal, until)
      if (ready === null) break
      const at = clock.date()
      const change: Change = { kind: 'snapshots-created', sealed: seal, at, snapshots: ready }
      const result = await propose(change, proposer)
      if (result.kind === 'committed') return { kind: 'made', record: result.record }
      // A shard has got another primary meanwhile, who will say that it is ready, too.
      if (result.code !== 'outdated') return result
    }
    const reason =
      'Not every shard could be made ready for the snapshot in time: see `swarmdisk status` for ' +
      'what keeps it, and try again.'
    return { kind: 'refused', code: 'not-sealed', reason }
  }

  /** Null: not in time, or the seal is gone, or another manager leads. */
  #untilReady(
    snapshots: readonly WantedSnapshot[],
    seal: Epoch,
    until: number,
  ): Promise<readonly SealedVolume[] | null> {
    const { clock } = this.#o
    return new Promise(resolve => {
      const end = (volumes: readonly SealedVolume[] | null): void => {
        timer.cancel()
        this.#waiting.delete(look)
        resolve(volumes)
      }
      const look = (): void => {
        const configuration = this.#leading()
        if (configuration === null || this.#lifting.stopped) return end(null)
        const volumes = snapshots.map(name => this.#readyVolume(configuration, name, seal))
        if (volumes.some(volume => volume === 'gone')) return end(null)
        const ready = volumes.filter(volume => typeof volume === 'object' && volume !== null)
        if (ready.length === snapshots.length) end(ready)
      }
      const timer = clock.after(Math.max(0, until - clock.now()), () => end(null))
      this.#waiting.add(look)
      look()
    })
  }

  /** Null: not all of its shards are ready yet. */
  #readyVolume(
    { volumes }: Configuration,
    { volume, name, source }: WantedSnapshot,
    seal: Epoch,
  ): SealedVolume | 'gone' | null {
    const known = volumes.get(volume)
    if (known?.seal?.epoch !== seal) return 'gone'
    const isReady = known.shards.every(({ epoch }, i) => {
      const ready = this.#ready.get(`${volume}/${i}`)
      return ready?.allocation === epoch && ready.seal === seal
    })
    if (!isReady) return null
    return { volume, name, shards: known.shards.map(({ epoch }) => epoch), source }
  }

  #orphans(): readonly VolumeId[] {
    const volumes = [...(this.#leading()?.volumes.values() ?? [])]
    const isOwn = (id: VolumeId, name: string): boolean =>
      [...this.#own].some(list => list.some(one => one.volume === id && one.name === name))
    return volumes
      .filter(({ id, seal }) => seal !== null && !isOwn(id, seal.name))
      .map(({ id }) => id)
  }

  async #liftOrphans(): Promise<void> {
    const { log, propose } = this.#o
    const volumes = this.#orphans()
    if (volumes.length === 0) return
    const reason = 'it was not ready in time, or another manager leads now'
    try {
      const result = await propose({ kind: 'seals-lifted', volumes, reason })
      if (result.kind === 'refused') log.warn('seals are not lifted yet', { reason: result.reason })
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      log.error('seals are not lifted yet', { error: error.message })
    }
  }

  #leading(): Configuration | null {
    const { history } = this.#o
    return history.leads ? history.current() : null
  }
}
