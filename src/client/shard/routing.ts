// Which server a request goes to: writes and FLUSHes to the shard's primary, reads to the in-sync
// replica that is expected to answer first; and who has to be told when that is not so any more.
import { assert } from '../../base/assert.js'
import type { PeerId } from '../../base/brands.js'
import type { Clock } from '../../base/clock.js'
import type { Random } from '../../base/random.js'
import type { ShardAllocation } from '../../layout/configuration.js'
import { ReplicaLoad, type LoadEvent } from './replica-load-state.js'
import type { RequestKind } from './shard-request.js'

export interface Asked {
  readonly kind: RequestKind
  readonly server: PeerId
  /** The server is not the one to ask any more. */
  readonly moved: () => void
}

/** Of a server that was never asked. */
const IDLE = new ReplicaLoad()

export class ReplicaLoads {
  readonly #clock: Clock
  readonly #random: Random
  readonly #loads = new Map<PeerId, ReplicaLoad>()

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  record(server: PeerId, event: LoadEvent): void {
    let load = this.#loads.get(server)
    if (!load) {
      load = new ReplicaLoad()
      this.#loads.set(server, load)
    }
    load.take(event, this.#clock.now())
  }

  /** The cheapest; chance decides between equals, so that idle replicas share what comes first. */
  choose(servers: readonly PeerId[]): PeerId | null {
    const now = this.#clock.now()
    let best: PeerId | null = null
    let equals: PeerId[] | null = null
    let least = Infinity
    for (const server of servers) {
      const cost = (this.#loads.get(server) ?? IDLE).cost(now)
      if (cost < least) {
        least = cost
        best = server
        equals = null
      } else if (cost === least && best !== null) {
        equals ??= [best]
        equals.push(server)
      }
    }
    return equals === null ? best : (equals[this.#random.below(equals.length)] ?? null)
  }

  /** Servers that left the cluster need not be remembered. */
  keep(servers: { has(id: PeerId): boolean }): void {
    for (const id of this.#loads.keys()) if (!servers.has(id)) this.#loads.delete(id)
  }
}

export function inSyncServers({ replicas }: ShardAllocation): readonly PeerId[] {
  return replicas.filter(replica => replica.state === 'in-sync').map(replica => replica.server)
}

export function primaryOf({ replicas }: ShardAllocation): PeerId {
  const [primary] = replicas
  assert(primary?.state === 'in-sync', 'the first replica of a shard is in-sync')
  return primary.server
}

/** The servers that requests to one shard are under way at. */
export class AskedServers {
  readonly #asked = new Set<Asked>()

  add(asked: Asked): void {
    this.#asked.add(asked)
  }

  delete(asked: Asked): void {
    this.#asked.delete(asked)
  }

  /** Under a new allocation some of them are not the ones to ask. */
  reconsider(allocation: ShardAllocation): void {
    const inSync = inSyncServers(allocation)
    for (const asked of [...this.#asked]) {
      const { kind, server } = asked
      const right = kind === 'read' ? inSync.includes(server) : primaryOf(allocation) === server
      if (!right) asked.moved()
    }
  }

  /** There is nothing to ask of anybody any more. */
  endAll(): void {
    for (const asked of [...this.#asked]) asked.moved()
  }
}
