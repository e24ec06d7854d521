// What primaries say of in-sync replicas that keep their shards waiting: has it voted on and
// committed, what came together in one change. A primary repeats it as long as it is so; what was
// refused is not proposed again at once, since every vote costs the storage servers a moment.
import type { Incarnation, PeerId } from '../base/brands.js'
import type { Clock } from '../base/clock.js'
import { isSwarmdiskError } from '../base/errors.js'
import { CAUGHT_UP_BATCH, SUSPEND_AGAIN_MS } from '../base/limits.js'
import type { Log } from '../base/log.js'
import type { Change, SuspendedReplica } from '../layout/change.js'
import type { Configuration } from '../layout/configuration.js'
import { keepsMemory } from '../layout/replicas.js'
import type { SuspendProposal } from '../net/messages.js'
import type { ProposalResult } from './history/configuration-history.js'
import { OneAtATime } from './one-at-a-time.js'

export interface SuspensionsOptions {
  readonly clock: Clock
  readonly log: Log
  /** Null while this manager does not lead. */
  readonly current: () => Configuration | null
  /** Storage servers whose lease runs. One whose lease is over will be declared down anyway. */
  readonly live: () => ReadonlyMap<PeerId, Incarnation>
  readonly propose: (change: Change, primaries: readonly PeerId[]) => Promise<ProposalResult>
}

interface Entry {
  readonly replica: SuspendedReplica
  readonly primary: PeerId
}

export class Suspensions {
  readonly #o: SuspensionsOptions
  /** By replica: at most one for each that the configuration has. */
  #waiting = new Map<string, Entry>()
  /** Not before then again. */
  #refusedUntil = 0
  readonly #rounds = new OneAtATime(() => this.#round())

  constructor(options: SuspensionsOptions) {
    this.#o = options
  }

  add(primary: PeerId, { replicas }: SuspendProposal): void {
    if (this.#rounds.stopped || this.#o.clock.now() < this.#refusedUntil) return
    for (const { volume, shard, server, allocation, cause } of replicas) {
      const replica: SuspendedReplica = { volume, shard, server, expected: allocation, cause }
      const entry = { replica, primary }
      if (this.#stands(entry)) this.#waiting.set(`${volume}/${shard}/${server}`, entry)
    }
    if (this.#waiting.size > 0) this.#rounds.ask()
  }

  stop(): Promise<void> {
    return this.#rounds.stop()
  }

  /** What came in one turn, or while others were voted on. */
  async #round(): Promise<void> {
    const entries = [...this.#waiting.values()].filter(entry => this.#stands(entry))
    this.#waiting = new Map()
    // What is left out is said again.
    if (entries.length > 0) await this.#propose(entries.slice(0, CAUGHT_UP_BATCH))
  }

  async #propose(entries: readonly Entry[]): Promise<void> {
    const { clock, log, propose } = this.#o
    const primaries = [...new Set(entries.map(({ primary }) => primary))]
    const replicas = entries.map(({ replica }) => replica)
    try {
      const result = await propose({ kind: 'replicas-suspended', replicas }, primaries)
      if (result.kind === 'committed' || result.code === 'outdated') return
      const { code, reason } = result
      log.warn('replicas that keep their shards waiting stay in-sync', { code, reason })
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      log.error('replicas that keep their shards waiting: not decided', { error: error.message })
    }
    this.#refusedUntil = clock.now() + SUSPEND_AGAIN_MS
  }

  #stands({ replica: { volume, shard, server, expected }, primary }: Entry): boolean {
    const configuration = this.#o.current()
    const allocation = configuration?.volumes.get(volume)?.shards[shard]
    if (!configuration || !allocation || allocation.epoch !== expected) return false
    if (allocation.replicas[0]?.server !== primary || !this.#o.live().has(server)) return false
    const replica = allocation.replicas.find(candidate => candidate.server === server)
    return replica?.state === 'in-sync' && keepsMemory(configuration, replica)
  }
}
