// Gives servers that are back after a restart their place again: plans with what is connected, has
// the plan committed, and plans again until there is nothing left to do. One plan at a time; a plan
// that another change has overtaken is refused and made anew.
import type { Incarnation, PeerId } from '../base/brands.js'
import { isSwarmdiskError } from '../base/errors.js'
import { PLAN_ATTEMPTS_MAX } from '../base/limits.js'
import type { Log } from '../base/log.js'
import type { Change } from '../layout/change.js'
import type { Configuration } from '../layout/configuration.js'
import { planReturn } from '../layout/planner.js'
import type { ProposalResult } from './history/configuration-history.js'

export interface ReturningServersOptions {
  readonly log: Log
  readonly current: () => Configuration | null
  /** Storage servers that are connected and registered, with the incarnation they run as. */
  readonly connected: () => ReadonlyMap<PeerId, Incarnation>
  readonly propose: (change: Change) => Promise<ProposalResult>
}

export class ReturningServers {
  readonly #options: ReturningServersOptions
  #wanted = false
  #stopped = false
  #running: Promise<void> | null = null

  constructor(options: ReturningServersOptions) {
    this.#options = options
  }

  /** Something has changed that a plan depends on. */
  consider(): void {
    if (this.#stopped) return
    this.#wanted = true
    this.#running ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    // Connections and commits of the same turn are looked at together.
    await Promise.resolve()
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false
      await this.#plan()
    }
    this.#running = null
  }

  async #plan(): Promise<void> {
    const { log, current, connected, propose } = this.#options
    for (let refusals = 0; refusals < PLAN_ATTEMPTS_MAX && !this.#stopped;) {
      const configuration = current()
      const change = configuration && planReturn(configuration, connected())
      if (!change) return
      try {
        const result = await propose(change)
        if (result.kind === 'committed') continue
        refusals++
        const { code, reason } = result
        if (code === 'outdated') continue
        log.warn('shards of a server that is back could not be given to it again', { code, reason })
        return
      } catch (error) {
        if (!isSwarmdiskError(error)) throw error
        log.error('shards of a server that is back wait for the disk of the manager', {
          error: error.message,
        })
        return
      }
    }
  }
}
