// Has copies made anew, moved and given up: asks the planner after every event, has its changes
// voted on, and goes on until there is nothing left to do now. One change at a time. What is
// refused is planned again after a while, without the servers that said no to a copy.
// On every manager, since each sees who joins; only the leader proposes.
import type { Epoch, Incarnation, PeerId } from '../../base/brands.js'
import type { Clock, Timer } from '../../base/clock.js'
import { isSwarmdiskError } from '../../base/errors.js'
import { MOVES_RETRY_MS, PLAN_ATTEMPTS_MAX, VOTE_DEADLINE_MS } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import type { Change } from '../../layout/change.js'
import type { Configuration } from '../../layout/configuration.js'
import { farBehind, newcomers, stillNew } from '../../layout/movement/newcomers.js'
import { MovementMemory, planMoves, type ShardsMoved } from '../../layout/movement/plan.js'
import type { ProposalResult } from '../history/configuration-history.js'
import type { ReplicatedHistory } from '../history/replicated-history.js'
import { OneAtATime } from '../one-at-a-time.js'
import { Absences } from './absences.js'

export interface MovesOptions {
  readonly clock: Clock
  readonly log: Log
  readonly history: Pick<ReplicatedHistory, 'current' | 'leads' | 'subscribe' | 'onLeadership'>
  /** Storage servers whose lease runs, with the incarnation they run as. */
  readonly connected: () => ReadonlyMap<PeerId, Incarnation>
  readonly propose: (change: Change) => Promise<ProposalResult>
  readonly rebuildAfter: number
}

const NOBODY: ReadonlySet<PeerId> = new Set()

/** What became of a change: plan on, plan anew at once, or with the next epoch, or later. */
type Fate = 'done' | 'again' | 'overtaken' | 'later'

export class Moves {
  readonly #o: MovesOptions
  readonly #absences: Absences
  readonly #leave: readonly (() => void)[]
  /** Servers that refused a copy, until the next retry. */
  readonly #avoid = new Set<PeerId>()
  readonly #memory = new MovementMemory()
  #seen: Configuration | null
  #joining: ReadonlySet<PeerId> = NOBODY
  #retry: Timer | null = null
  /** In case that the next epoch does not come. */
  #reminder: Timer | null = null
  #refusal = ''
  readonly #plans = new OneAtATime(() => this.#plan())

  constructor(options: MovesOptions) {
    this.#o = options
    const { clock, rebuildAfter, history } = options
    const onGone = (): void => this.consider()
    this.#absences = new Absences({ clock, rebuildAfter, onGone })
    this.#seen = history.current()
    if (this.#seen) this.#joining = farBehind(this.#seen)
    this.#leave = [
      history.subscribe(configuration => this.#adopt(configuration)),
      history.onLeadership(() => this.#absences.adopt(this.#leading())),
    ]
  }

  /** Why the last change was refused, in a sentence; empty if it was not. */
  get refusal(): string {
    return this.#refusal
  }

  /** Something has changed that a plan depends on. */
  consider(): void {
    if (this.#retry || !this.#o.history.leads) return
    this.#plans.ask()
  }

  async stop(): Promise<void> {
    const stopped = this.#plans.stop()
    for (const leave of this.#leave) leave()
    this.#absences.stop()
    this.#retry?.cancel()
    this.#reminder?.cancel()
    await stopped
  }

  #adopt(configuration: Configuration): void {
    if (this.#seen) this.#joining = newcomers(this.#joining, this.#seen, configuration)
    this.#seen = configuration
    this.#absences.adopt(this.#leading())
  }

  #leading(): Configuration | null {
    const { history } = this.#o
    return history.leads && !this.#plans.stopped ? history.current() : null
  }

  async #plan(): Promise<void> {
    for (let attempts = 0; attempts < PLAN_ATTEMPTS_MAX && !this.#plans.stopped;) {
      const changes = this.#next()
      if (changes.length === 0) return
      // Copies and what is given up are decided apart: a refusal of one does not hold up the other.
      const fates: Fate[] = []
      const { epoch } = this.#o.history.current()!
      for (const change of changes) fates.push(await this.#carryOut(change))
      if (fates.includes('later')) return this.#later()
      if (fates.some(fate => fate !== 'done')) attempts++
      // What came first is not committed yet: the next epoch says when to plan again.
      if (fates.includes('overtaken') && this.#isAt(epoch)) return this.#soon()
    }
    // Others keep coming first.
    this.#later()
  }

  #next(): readonly ShardsMoved[] {
    const configuration = this.#leading()
    if (!configuration) return []
    const view = {
      ...{ configuration, connected: this.#o.connected() },
      ...{ gone: this.#absences.gone, joining: this.#joining },
    }
    const { drop, copy, balanced } = planMoves(view, this.#avoid, this.#memory)
    if (balanced) this.#joining = stillNew(this.#joining, configuration)
    return [drop, copy].filter(change => change !== null)
  }

  async #carryOut(change: ShardsMoved): Promise<Fate> {
    const fate = await this.#propose(change)
    if (fate !== 'later' || change.shards.length === 1) return fate
    // One shard that may not be touched now does not hold up the others.
    for (const shard of change.shards) {
      if (this.#plans.stopped) break
      await this.#propose({ ...change, shards: [shard] })
    }
    return 'later'
  }

  async #propose(change: ShardsMoved): Promise<Fate> {
    const { log, propose } = this.#o
    try {
      const result = await propose(change)
      if (result.kind === 'committed') {
        this.#refusal = ''
        return 'done'
      }
      const { code, reason, by } = result
      if (code === 'outdated') return 'overtaken'
      this.#refusal = reason
      log.warn('copies were not moved', { code, reason })
      if (by === undefined || !isTarget(change, by)) return 'later'
      this.#avoid.add(by)
      return 'again'
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      log.error('copies that are to move wait for the disk of the manager', {
        error: error.message,
      })
      return 'later'
    }
  }

  #isAt(epoch: Epoch): boolean {
    return this.#o.history.current()?.epoch === epoch
  }

  #soon(): void {
    if (this.#plans.stopped) return
    this.#reminder?.cancel()
    this.#reminder = this.#o.clock.after(VOTE_DEADLINE_MS, () => this.consider())
  }

  #later(): void {
    if (this.#plans.stopped || this.#retry) return
    this.#retry = this.#o.clock.after(MOVES_RETRY_MS, () => {
      this.#retry = null
      this.#avoid.clear()
      this.consider()
    })
  }
}

function isTarget({ shards }: ShardsMoved, server: PeerId): boolean {
  return shards.some(({ replicas }) =>
    replicas.some(replica => replica.server === server && replica.state === 'syncing'),
  )
}
