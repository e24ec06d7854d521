// What may go wrong at this moment without taking more than the kind of run allows (shape.ts):
// where memory must not be lost, an in-sync replica that has kept it stays for every shard; beside
// a rotten copy, one server at a time is out. What has only been begun counts as done: whoever is
// cut off, or cannot write, or stands still, is in doubt, since the managers may go on without it
// at any time; and of a shard with a copy more than it wants, one may go at any time.
//
// What a wiped disk held is lost for good. So in any kind of run somebody who is in-sync keeps his
// memory until it is decided that the wiped one is in-sync no more: else the shard might resume
// from it. (What a server does at its start about a disk that was emptied is tested in test/cli.)
import type { PeerId } from '../../../src/base/brands.js'
import type { ShardAllocation, VolumeRecord } from '../../../src/layout/configuration.js'
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
  /** Servers and the newest start whose disk is gone. */
  readonly #wiped = new Map<PeerId, number>()
  /** Until then the managers may take longer for what they decide. */
  #late = 0

  constructor(cluster: SimulatedCluster, mode: Mode) {
    this.#cluster = cluster
    this.#mode = mode
  }

  mayDie(name: string): boolean {
    const cluster = this.#cluster
    if (cluster.managerNames.includes(name)) return true
    const id = cluster.idOf(name)
    if (this.#mode === 'rotten') return this.#allThere(id)
    const all = this.#mode === 'shared'
    return this.#areKept(id, shard => all || this.#needsMemory(shard))
  }

  /** All storage servers at once. */
  get mayAllDie(): boolean {
    const shards = this.#cluster.shards()
    return this.#mode === 'exclusive' && !shards.some(shard => this.#needsMemory(shard))
  }

  mayBeWiped(name: string): boolean {
    const id = this.#cluster.idOf(name)
    if (this.#mode === 'rotten') return this.#allThere(id)
    return this.#areKept(id, () => true)
  }

  isWiped(server: PeerId): void {
    this.#wiped.set(server, this.#cluster.incarnationOf(server))
  }

  /** Its process may stand still, or be held up by its disk. */
  mayBeSlow(id: PeerId): boolean {
    return this.#mode !== 'rotten' || this.#allThere(this.#isManager(id) ? null : id)
  }

  isSlow(id: PeerId, duration: number): void {
    if (!this.#isManager(id)) return this.refuses(id, duration)
    this.#late = Math.max(this.#late, this.#cluster.clock.now() + duration)
    for (const [server, until] of this.#doubtful) {
      if (until > this.#cluster.clock.now()) this.#doubtful.set(server, until + duration)
    }
    if (this.#mode !== 'rotten') return
    // Everybody is out of its reach meanwhile, and may be declared down when it goes on.
    for (const name of this.#cluster.serverNames) this.refuses(this.#cluster.idOf(name), duration)
  }

  /** Servers may join or be emptied. */
  get mayMove(): boolean {
    return this.#mode !== 'rotten' || this.#allThere()
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
    const until = Math.max(this.#cluster.clock.now() + duration, this.#late) + DECIDED_MS
    this.#doubtful.set(server, Math.max(until, this.#doubtful.get(server) ?? 0))
  }

  refusesNoMore(server: PeerId): void {
    this.#doubtful.set(server, Math.max(this.#cluster.clock.now(), this.#late) + DECIDED_MS)
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

  /** Of each of these shards somebody else keeps what is in memory, whatever is under way. */
  #areKept(without: PeerId, which: (shard: ShardAllocation) => boolean): boolean {
    const { volumes } = this.#cluster.configuration
    const kept = ({ replicas, shards }: VolumeRecord): boolean =>
      shards.filter(which).every(shard => {
        const others = this.#keepers(shard).filter(keeper => keeper !== without)
        return others.length > Math.max(0, shard.replicas.length - replicas)
      })
    const all = [...volumes.values()]
    if (all.every(({ shards }) => !shards.some(which))) return true
    return this.#cluster.managersUp.length > 0 && all.every(kept)
  }

  /** A wiped server is still called in-sync for what it had before. */
  #needsMemory({ replicas }: ShardAllocation): boolean {
    return replicas.some(
      ({ server, state, incarnation }) =>
        state === 'in-sync' && incarnation <= (this.#wiped.get(server) ?? -1),
    )
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
