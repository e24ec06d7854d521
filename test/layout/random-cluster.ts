// A random cluster for layout tests: its configuration, and the processes of its servers, which
// start, go, are cut off, register, are declared down and removed, while the manager plans and
// copies catch up. It throws when a step breaks an invariant.
import { AssertionFailure } from '../../src/base/assert.js'
import { incarnation, shardIndex, type Incarnation, type PeerId } from '../../src/base/brands.js'
import { apply } from '../../src/layout/apply.js'
import type { CaughtUpReplica, Change } from '../../src/layout/change.js'
import type { Configuration, Replica, ShardAllocation } from '../../src/layout/configuration.js'
import { checkConfiguration } from '../../src/layout/invariants.js'
import { isRefusal } from '../../src/layout/outcome.js'
import { planReturn, planVolume } from '../../src/layout/placement/planner.js'
import type { Connected } from '../../src/layout/replicas.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import { cluster, downOf, must, server, serverId } from './clusters.js'

/** Connected, registered with the start that it is, and not declared down since. */
export function liveIn(configuration: Configuration, connected: Connected): readonly PeerId[] {
  const live = [...connected].filter(([id, start]) => {
    const record = configuration.servers.get(id)
    return record?.incarnation === start && record.state !== 'down'
  })
  return live.map(([id]) => id)
}

/** A cluster, and the processes of its servers: which run, as which start, whether reachable. */
export class RandomCluster {
  readonly random: SeededRandom
  readonly servers: number
  configuration: Configuration
  readonly running = new Map<PeerId, Incarnation>()
  readonly cutOff = new Set<PeerId>()
  readonly counts = new Map<string, number>()
  removals = 0

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
    this.servers = 3 + this.random.below(4)
    this.configuration = cluster(this.servers)
    for (const { id } of this.configuration.servers.values()) this.running.set(id, incarnation(1))
    for (let v = 0; v < 3; v++) this.createVolume(v)
  }

  createVolume(v: number): void {
    const replicas = 1 + this.random.below(Math.min(this.servers, 4))
    const minInSync = 1 + this.random.below(replicas)
    const wish = { name: `v${v}`, size: 2 ** 24, replicas, minInSync }
    const change = planVolume(this.configuration, wish)
    if (!isRefusal(change)) this.commit(change)
  }

  /** The processes that can be reached, registered or not. */
  get connected(): Connected {
    return new Map([...this.running].filter(([id]) => !this.cutOff.has(id)))
  }

  get live(): readonly PeerId[] {
    return liveIn(this.configuration, this.connected)
  }

  shards(): readonly (CaughtUpReplica & { readonly allocation: ShardAllocation })[] {
    return [...this.configuration.volumes.values()].flatMap(({ id: volume, shards }) =>
      shards.map((allocation, i) => ({
        ...{ volume, shard: shardIndex(i), expected: allocation.epoch, allocation },
        server: allocation.replicas[0]!.server,
      })),
    )
  }

  commit(change: Change): void {
    const before = this.configuration
    this.configuration = must(before, change)
    checkConfiguration(this.configuration)
    this.counts.set(change.kind, (this.counts.get(change.kind) ?? 0) + 1)
    if (change.kind !== 'server-removed') this.#nobodyForgotten(before)
  }

  /** Whoever held a copy of some state holds one still. */
  #nobodyForgotten(before: Configuration): void {
    for (const [id, volume] of before.volumes) {
      volume.shards.forEach((shard, i) => {
        const now = this.configuration.volumes.get(id)!.shards[i]!
        if (holders(shard) !== holders(now)) throw new AssertionFailure('a copy is forgotten')
      })
    }
  }

  step(): void {
    const n = 1 + this.random.below(this.servers)
    const id = serverId(n)
    const steps: readonly (() => void)[] = [
      () => this.running.set(id, incarnation((this.running.get(id) ?? 1) + 1)),
      () => this.cutOff.add(id),
      () => this.cutOff.delete(id),
      () => this.register(n),
      () => this.register(n),
      () => this.declareDown(id),
      () => this.declareDown(id),
      () => this.plan(),
      () => this.catchUp(0.3),
      () => this.remove(id),
    ]
    this.random.pick(steps)()
  }

  register(n: number): void {
    const start = this.connected.get(serverId(n))
    if (start === undefined) return
    const change: Change = {
      kind: 'server-registered',
      server: server(n, { incarnation: start }),
    }
    if (apply(this.configuration, change).kind === 'applied') this.commit(change)
  }

  /** Mostly of one that is away: a lease may run out while its server is only slow. */
  declareDown(id: PeerId): void {
    const record = this.configuration.servers.get(id)
    if (record === undefined || record.state === 'down') return
    if (this.live.includes(id) && this.random.chance(0.7)) return
    this.commit(downOf(this.configuration, id, ...this.live.filter(other => other !== id)))
  }

  plan(): boolean {
    const plan = planReturn(this.configuration, this.connected)
    if (plan === null) return false
    for (const { volume, shard, replicas } of plan.shards) {
      const known = this.configuration.volumes.get(volume)!.shards[shard]!.replicas
      const added = replicas.filter(replica => !known.includes(replica))
      const bad = added.some(({ server: id }) => !this.live.includes(id))
      if (bad) throw new AssertionFailure('planned for a server that is not there')
    }
    this.commit(plan)
    if (planReturn(this.configuration, this.connected) !== null) {
      throw new AssertionFailure('a second plan follows from the first')
    }
    return true
  }

  catchUp(chance: number): boolean {
    const live = new Set(this.live)
    const serves = ({ server: id, incarnation: start }: Replica): boolean =>
      live.has(id) && this.configuration.servers.get(id)?.incarnation === start
    const replicas = this.shards().flatMap(({ allocation, ...place }) => {
      const source = allocation.replicas[0]!
      const ready = allocation.replicas.filter(r => r.state === 'syncing' && serves(r))
      if (!serves(source) || !this.random.chance(chance)) return []
      return ready.map(({ server: id }) => ({ ...place, server: id }))
    })
    if (replicas.length > 0) this.commit({ kind: 'replicas-caught-up', replicas })
    return replicas.length > 0
  }

  remove(id: PeerId): void {
    if (this.removals >= 2 || !this.random.chance(0.2)) return
    const change: Change = { kind: 'server-removed', server: id }
    const outcome = apply(this.configuration, change)
    if (outcome.kind === 'refused') {
      if (outcome.code === 'data-loss') this.counts.set('kept', (this.counts.get('kept') ?? 0) + 1)
      return
    }
    this.commit(change)
    this.removals++
  }

  /** Everybody is back and nothing fails any more. */
  heal(): void {
    this.cutOff.clear()
    for (let n = 1; n <= this.servers; n++) this.register(n)
    for (let round = 0; this.plan() || this.catchUp(1); round++) {
      if (round > 10) throw new AssertionFailure('no end of planning')
    }
  }
}

function holders({ replicas, stale }: ShardAllocation): string {
  return [...replicas.map(replica => replica.server), ...stale].sort().join()
}
