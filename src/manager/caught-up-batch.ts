// Collects what primaries say about replicas that have caught up, and has it committed, many in one
// change: what arrives while a commit is under way makes the next one. Each counts only in the
// allocation in which the primary counted the replica; whatever is stale is dropped.
import type { PeerId } from '../base/brands.js'
import { isSwarmdiskError } from '../base/errors.js'
import { CAUGHT_UP_BATCH, PLAN_ATTEMPTS_MAX } from '../base/limits.js'
import type { Log } from '../base/log.js'
import type { CaughtUpReplica, Change } from '../layout/change.js'
import type { Configuration } from '../layout/configuration.js'
import type { CaughtUpProposal } from '../net/messages.js'
import type { ProposalResult } from './history/configuration-history.js'

export interface CaughtUpBatchOptions {
  readonly log: Log
  readonly current: () => Configuration | null
  readonly propose: (change: Change, primaries: readonly PeerId[]) => Promise<ProposalResult>
}

interface Entry extends CaughtUpReplica {
  readonly primary: PeerId
}

export class CaughtUpBatch {
  readonly #options: CaughtUpBatchOptions
  // By replica; at most one for each that the configuration has, since only valid ones are kept.
  readonly #waiting = new Map<string, Entry>()
  #running: Promise<void> | null = null
  #stopped = false

  constructor(options: CaughtUpBatchOptions) {
    this.#options = options
  }

  add(primary: PeerId, proposal: CaughtUpProposal): void {
    if (this.#stopped) return
    for (const { volume, shard, server, allocation } of proposal.replicas) {
      const entry: Entry = { volume, shard, server, expected: allocation, primary }
      if (this.#valid(entry)) this.#waiting.set(`${volume}/${shard}/${server}`, entry)
    }
    if (this.#waiting.size > 0) this.#running ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    // Proposals of the same turn go together.
    await Promise.resolve()
    let refusals = 0
    while (!this.#stopped && refusals < PLAN_ATTEMPTS_MAX) {
      const entries = this.#take()
      if (entries.length === 0) break
      if (await this.#commit(entries)) continue
      refusals++
      // One that is refused for good must not hold up the others.
      for (const entry of entries) if (entries.length > 1) await this.#commit([entry])
    }
    this.#running = null
  }

  #take(): readonly Entry[] {
    const taken: Entry[] = []
    for (const [key, entry] of this.#waiting) {
      if (!this.#valid(entry)) {
        this.#waiting.delete(key)
        continue
      }
      if (taken.length >= CAUGHT_UP_BATCH) break
      taken.push(entry)
      this.#waiting.delete(key)
    }
    return taken
  }

  async #commit(entries: readonly Entry[]): Promise<boolean> {
    const valid = entries.filter(entry => this.#valid(entry))
    if (valid.length === 0) return true
    const primaries = [...new Set(valid.map(({ primary }) => primary))]
    const replicas = valid.map(({ volume, shard, server, expected }): CaughtUpReplica => ({
      ...{ volume, shard, server, expected },
    }))
    const { log, propose } = this.#options
    try {
      const result = await propose({ kind: 'replicas-caught-up', replicas }, primaries)
      if (result.kind === 'committed') return true
      log.debug('replicas that caught up were refused', { reason: result.reason })
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      log.error('replicas that caught up wait for the disk of the manager', {
        error: error.message,
      })
    }
    return false
  }

  #valid({ volume, shard, server, expected, primary }: Entry): boolean {
    const configuration = this.#options.current()
    const allocation = configuration?.volumes.get(volume)?.shards[shard]
    if (!configuration || !allocation || allocation.epoch !== expected) return false
    if (allocation.replicas[0]?.server !== primary) return false
    const replica = allocation.replicas.find(candidate => candidate.server === server)
    const incarnation = configuration.servers.get(server)?.incarnation
    return replica?.state === 'syncing' && replica.incarnation === incarnation
  }
}
