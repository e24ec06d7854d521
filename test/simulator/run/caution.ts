// What may go wrong at this moment without taking more than the kind of run allows (shape.ts):
// where memory must not be lost, an in-sync replica that has kept it stays for every shard; beside
// a rotten copy, one server at a time is out. What has only been begun counts as done: whoever is
// cut off, or cannot write, is in doubt, since the managers may go on without it at any time.
import type { PeerId } from '../../../src/base/brands.js'
import type { ShardAllocation } from '../../../src/layout/configuration.js'
import type { SimulatedCluster } from '../simulated-cluster.js'
import type { Mode } from './shape.js'

/** A lease, the decision about a server whose lease is over, and its way to the others. */
const DECIDED_MS = 6_000
/** Whoever is out of reach of another server for longer may be suspended. */
const SUSPENDED_AFTER_MS = 1_000
/** Until a link that broke is there again; longer if the wire is cut when it is tried. */
const LINKED_AGAIN_MS = 5_000

export class Caution {
  readonly #cluster: SimulatedCluster
  readonly #mode: Mode
  /** Servers that the managers may be about to go on without, and until when that may be so. */
  readonly #doubtful = new Map<PeerId, number>()

  constructor(cluster: SimulatedCluster, mode: Mode) {
    this.#cluster = cluster
    this.#mode = mode
  }

  mayDie(name: string): boolean {
    const cluster = this.#cluster
    if (this.#mode === 'exclusive' || cluster.managerNames.includes(name)) return true
    const id = cluster.idOf(name)
    if (this.#mode === 'rotten') return this.#allThere(id)
    if (cluster.managersUp.length === 0) return false
    return cluster.shards().every(shard => this.#keepers(shard).some(keeper => keeper !== id))
  }

  mayCut(a: PeerId, b: PeerId, duration: number): boolean {
    if (this.#mode !== 'rotten') return true
    if (this.#isManager(a) !== this.#isManager(b)) return this.#allThere(this.#isManager(a) ? b : a)
    return this.#isManager(a) || duration <= SUSPENDED_AFTER_MS || this.#allThere()
  }

  mayBreak(a: PeerId, b: PeerId): boolean {
    return this.#mode !== 'rotten' || this.#isOutside(a) || this.#isOutside(b) || this.#allThere()
  }

  /** A disk may take nothing for a while. */
  get mayRefuse(): boolean {
    return this.#mode !== 'rotten' || this.#allThere()
  }

  /**
   * Whoever is cut off from a manager may be declared down at any time from now on, by a decision
   * that is already under way: then its memory does not count any more. So it is with one that is
   * cut off from another server for longer: it may be suspended.
   */
  isCut(a: PeerId, b: PeerId, duration: number): void {
    const lasts = duration > SUSPENDED_AFTER_MS
    if (this.#isManager(b) || lasts) this.refuses(a, duration)
    if (this.#isManager(a) || lasts) this.refuses(b, duration)
  }

  /** Servers without a link between them may be suspended before they have one again. */
  isBroken(a: PeerId, b: PeerId): void {
    if (this.#mode !== 'rotten' || this.#isOutside(a) || this.#isOutside(b)) return
    this.isCut(a, b, LINKED_AGAIN_MS)
  }

  /** Its disk takes nothing for so long; Infinity until refusesNoMore(). */
  refuses(server: PeerId, duration: number): void {
    const until = this.#cluster.clock.now() + duration + DECIDED_MS
    this.#doubtful.set(server, Math.max(until, this.#doubtful.get(server) ?? 0))
  }

  refusesNoMore(server: PeerId): void {
    this.#doubtful.set(server, this.#cluster.clock.now() + DECIDED_MS)
  }

  /** Not a storage server. */
  #isOutside(id: PeerId): boolean {
    return !this.#cluster.serverNames.some(name => this.#cluster.idOf(name) === id)
  }

  #isManager(id: PeerId): boolean {
    return this.#cluster.managerNames.some(name => this.#cluster.idOf(name) === id)
  }

  /** All servers but, maybe, this one are up and in-sync, and nobody is about to be dropped. */
  #allThere(but: PeerId | null = null): boolean {
    const cluster = this.#cluster
    const now = cluster.clock.now()
    const doubtful = [...this.#doubtful].some(([id, until]) => id !== but && until > now)
    return cluster.healthy && !doubtful && cluster.serverNames.every(name => cluster.isUp(name))
  }

  /** Who is in-sync and has not restarted since. */
  #keepers({ replicas }: ShardAllocation): readonly PeerId[] {
    const cluster = this.#cluster
    return replicas
      .filter(
        ({ server, state, incarnation }) =>
          state === 'in-sync' &&
          incarnation === cluster.incarnationOf(server) &&
          (this.#doubtful.get(server) ?? 0) <= cluster.clock.now() &&
          cluster.isUp(cluster.nameOf(server)),
      )
      .map(({ server }) => server)
  }
}
