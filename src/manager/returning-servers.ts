// Gives servers that are back after a restart their place again: plans with what is connected, has
// the plan committed, and plans again until there is nothing left to do. One plan at a time; a plan
// that another change has overtaken is refused and made anew.
import type { Incarnation, PeerId } from '../base/brands.js'
import { isSwarmdiskError } from '../base/errors.js'
import { PLAN_ATTEMPTS_MAX } from '../base/limits.js'
import type { Log } from '../base/log.js'
import type { Change } from '../layout/change.js'
import type { Configuration } from '../layout/configuration.js'
import { planReturn } from '../layout/placement/planner.js'
import { Settled } from '../layout/placement/settled.js'
import type { ProposalResult } from './history/configuration-history.js'
import { OneAtATime } from './one-at-a-time.js'

export interface ReturningServersOptions {
  readonly log: Log
  readonly current: () => Configuration | null
  /** Storage servers that are connected and registered, with the incarnation they run as. */
  readonly connected: () => ReadonlyMap<PeerId, Incarnation>
  readonly propose: (change: Change) => Promise<ProposalResult>
}

export class ReturningServers {
  readonly #options: ReturningServersOptions
  readonly #plans = new OneAtATime(() => this.#plan())
  readonly #settled = new Settled()

  constructor(options: ReturningServersOptions) {
    this.#options = options
  }

  /** Something has changed that a plan depends on. */
  consider(): void {
    this.#plans.ask()
  }

  stop(): Promise<void> {
    return this.#plans.stop()
  }

  async #plan(): Promise<void> {
    const { log, current, connected, propose } = this.#options
    for (let refusals = 0; refusals < PLAN_ATTEMPTS_MAX && !this.#plans.stopped;) {
      const configuration = current()
      const change = configuration && planReturn(configuration, connected(), this.#settled)
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
