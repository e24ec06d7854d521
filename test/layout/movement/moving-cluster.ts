// A random cluster whose copies move: servers join, go, come back, are emptied and removed, while
// the plans of a manager are applied and copies catch up. It throws when a step breaks a rule.
import { AssertionFailure } from '../../../src/base/assert.js'
import { incarnation, type Incarnation, type PeerId } from '../../../src/base/brands.js'
import { MOVES_AT_ONCE, MOVES_PER_TARGET } from '../../../src/base/limits.js'
import { apply } from '../../../src/layout/apply.js'
import type { CaughtUpReplica, Change } from '../../../src/layout/change.js'
import type { Configuration, ShardAllocation } from '../../../src/layout/configuration.js'
import { equal } from '../../../src/layout/equal.js'
import { checkConfiguration } from '../../../src/layout/invariants.js'
import { newcomers, stillNew } from '../../../src/layout/movement/newcomers.js'
import { MovementMemory, planMoves, type ShardsMoved } from '../../../src/layout/movement/plan.js'
import { isRefusal } from '../../../src/layout/outcome.js'
import { planReturn, planVolume } from '../../../src/layout/placement/planner.js'
import { Settled } from '../../../src/layout/placement/settled.js'
import { inSyncOf, isDown, keepsMemory } from '../../../src/layout/replicas.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { cluster, downOf, must, server, serverId } from '../clusters.js'

const NOBODY: ReadonlySet<PeerId> = new Set()

export class MovingCluster {
  readonly random: SeededRandom
  readonly counts = new Map<string, number>()
  /** Processes that run, all reachable. */
  readonly running = new Map<PeerId, Incarnation>()
  readonly gone = new Set<PeerId>()
  configuration: Configuration
  joining: ReadonlySet<PeerId> = new Set()
  #servers = 0
  readonly #settled = new Settled()
  readonly #memory = new MovementMemory()
  readonly #domains: number

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
    this.configuration = cluster(0)
    this.#domains = 1 + this.random.below(6)
    for (let n = 2 + this.random.below(6); n > 0; n--) this.join()
    for (let v = 0; v < 2; v++) this.createVolume(v)
  }

  createVolume(v: number): void {
    const replicas = 1 + this.random.below(Math.min(this.#servers, 4))
    const minInSync = 1 + this.random.below(replicas)
    const wish = { name: `v${v}`, size: 2 ** 24, replicas, minInSync }
    const change = planVolume(this.configuration, wish)
    if (!isRefusal(change)) this.commit(change)
  }

  get shards(): readonly ShardAllocation[] {
    return [...this.configuration.volumes.values()].flatMap(({ shards }) => shards)
  }

  commit(change: Change): void {
    const before = this.configuration
    this.configuration = must(before, change)
    checkConfiguration(this.configuration)
    this.joining = newcomers(this.joining, before, this.configuration)
    this.#count(change.kind)
    if (change.kind === 'shards-moved') this.#nothingLost(before, change)
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  // ---- what happens to servers ------------------------------------------------------------------

  join(): void {
    const n = ++this.#servers
    const domain = `d${this.random.below(this.#domains)}`
    const record = server(n, { domain, weight: 1 + this.random.below(3) })
    this.running.set(record.id, record.incarnation)
    this.commit({ kind: 'server-registered', server: record })
  }

  step(): void {
    const id = serverId(1 + this.random.below(this.#servers))
    const steps: readonly (() => void)[] = [
      () => this.goes(id),
      () => this.comesBack(id, this.random.chance(0.5)),
      () => this.isGone(id),
      () => this.drain(id, true),
      () => this.drain(id, false),
      () => this.remove(id),
      () => this.#servers < 10 && this.join(),
      ...Array.from({ length: 8 }, () => () => this.progress(0.4)),
    ]
    this.random.pick(steps)()
  }

  goes(id: PeerId): void {
    if (!this.configuration.servers.has(id) || isDown(this.configuration, id)) return
    this.running.delete(id)
    this.commit(downOf(this.configuration, id, ...this.running.keys()))
  }

  comesBack(id: PeerId, restarted: boolean): void {
    const record = this.configuration.servers.get(id)
    if (!record || !isDown(this.configuration, id)) return
    const start = incarnation(record.incarnation + (restarted ? 1 : 0))
    this.running.set(id, start)
    this.gone.delete(id)
    this.commit({
      kind: 'server-registered',
      server: { ...record, state: 'up', incarnation: start },
    })
    if (this.running.get(id) !== start) throw new AssertionFailure('it is there')
  }

  isGone(id: PeerId): void {
    if (isDown(this.configuration, id)) this.gone.add(id)
  }

  drain(id: PeerId, begin: boolean): void {
    const change: Change = { kind: 'server-state', server: id, state: begin ? 'draining' : 'up' }
    if (apply(this.configuration, change).kind === 'applied') this.commit(change)
  }

  remove(id: PeerId): void {
    if (!this.random.chance(0.2)) return
    const change: Change = { kind: 'server-removed', server: id }
    if (apply(this.configuration, change).kind === 'refused') return
    this.commit(change)
    this.running.delete(id)
    this.gone.delete(id)
  }

  /** Everybody is back, or away for good. */
  heal(): void {
    for (const id of [...this.configuration.servers.keys()]) {
      if (!isDown(this.configuration, id)) continue
      if (this.random.chance(0.5)) this.comesBack(id, true)
      else this.gone.add(id)
    }
    // What only one that is away holds is waited for.
    for (const { replicas } of this.shards) {
      for (const { server: id } of inSyncOf({ replicas })) this.comesBack(id, false)
    }
  }

  // ---- what the managers do ---------------------------------------------------------------------

  /** True if something was done. */
  progress(chance = 1): boolean {
    const back = planReturn(this.configuration, this.running, this.#settled)
    this.#same(back, planReturn(this.configuration, this.running))
    if (back !== null) {
      this.commit(back)
      return true
    }
    const plan = planMoves(this.#view, NOBODY, this.#memory)
    this.#same(plan, planMoves(this.#view, NOBODY))
    const { drop, copy, balanced } = plan
    if (balanced) this.joining = stillNew(this.joining, this.configuration)
    const moves = [drop, copy].filter(change => change !== null)
    const first = this.random.chance(0.5) ? moves[0] : moves.at(-1)
    if (first && this.random.chance(chance)) {
      this.#inBounds(first)
      this.commit(first)
      return true
    }
    return this.catchUp(chance) || first !== undefined
  }

  get #view(): Parameters<typeof planMoves>[0] {
    const { configuration, gone, joining } = this
    return { configuration, gone, joining, connected: this.running }
  }

  catchUp(chance: number): boolean {
    const replicas: CaughtUpReplica[] = []
    for (const [volume, { shards }] of this.configuration.volumes) {
      shards.forEach(({ epoch: expected, replicas: all }, i) => {
        const source = all[0]!
        if (this.running.get(source.server) !== source.incarnation) return
        if (!keepsMemory(this.configuration, source) || isDown(this.configuration, source.server))
          return
        for (const { server: id, state, incarnation: start } of all) {
          const ready = state === 'syncing' && this.running.get(id) === start
          if (!ready || !this.random.chance(chance)) continue
          const shard = i as CaughtUpReplica['shard']
          replicas.push({ volume, shard, server: id, expected })
          return
        }
      })
    }
    if (replicas.length > 0) this.commit({ kind: 'replicas-caught-up', replicas })
    return replicas.length > 0
  }

  // ---- rules -----------------------------------------------------------------------------------

  /** Who remembers what there was nothing to do for says what one says that looks at everything. */
  #same(plan: unknown, anew: unknown): void {
    if (!equal(plan, anew)) throw new AssertionFailure('a planner that remembers says otherwise')
  }

  /** No fewer in-sync copies than before, or than wanted. */
  #nothingLost(before: Configuration, { shards }: ShardsMoved): void {
    for (const { volume, shard } of shards) {
      const { replicas } = before.volumes.get(volume)!
      const [old, now] = [before, this.configuration].map(
        ({ volumes }) => inSyncOf(volumes.get(volume)!.shards[shard]!).length,
      ) as [number, number]
      if (now < Math.min(old, replicas)) throw new AssertionFailure('a copy was given up')
    }
  }

  /** New copies only where they may be made, and few at a time. */
  #inBounds({ shards }: ShardsMoved): void {
    const onTarget = new Map<PeerId, number>()
    let added = 0
    for (const { volume, shard, replicas } of shards) {
      const old = this.configuration.volumes.get(volume)!.shards[shard]!
      for (const { server: id } of replicas) {
        if (old.replicas.some(known => known.server === id)) continue
        added++
        onTarget.set(id, (onTarget.get(id) ?? 0) + 1)
        const { state } = this.configuration.servers.get(id)!
        if (state !== 'up') throw new AssertionFailure(`a copy on a server that is ${state}`)
        if (old.stale.includes(id)) throw new AssertionFailure('it comes back by itself')
      }
    }
    if (added === 0) return
    for (const { replicas } of this.shards) {
      for (const { server: id, state } of replicas) {
        if (state === 'syncing') onTarget.set(id, (onTarget.get(id) ?? 0) + 1)
      }
    }
    this.#count('copies')
    if (added > MOVES_AT_ONCE) throw new AssertionFailure(`${added} copies at once`)
    for (const { volume, shard, replicas } of shards) {
      const old = this.configuration.volumes.get(volume)!.shards[shard]!
      for (const { server: id } of replicas) {
        if (old.replicas.some(known => known.server === id)) continue
        if (onTarget.get(id)! > MOVES_PER_TARGET) throw new AssertionFailure('a busy target')
      }
    }
  }
}
