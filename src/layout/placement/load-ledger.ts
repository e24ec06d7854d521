// What every server holds. Whoever plans after every change keeps a ledger: of the volumes of a
// large cluster only those that changed since are counted again.
import { assert } from '../../base/assert.js'
import type { PeerId } from '../../base/brands.js'
import type { Configuration, VolumeRecord } from '../configuration.js'
import type { Load } from './place.js'

interface Count {
  replicas: number
  primaries: number
}

/** What every server holds: replicas of any state, and the shards that it leads. */
export function loadsOf(configuration: Configuration): ReadonlyMap<PeerId, Load> {
  return new LoadLedger().of(configuration)
}

export class LoadLedger {
  readonly #counts = new Map<PeerId, Count>()
  #servers: Configuration['servers'] = new Map()
  #volumes: Configuration['volumes'] = new Map()

  /** Of this configuration, whichever was asked for before; good until the next call. */
  of({ servers, volumes }: Configuration): ReadonlyMap<PeerId, Load> {
    for (const id of servers.keys()) {
      if (!this.#counts.has(id)) this.#counts.set(id, { replicas: 0, primaries: 0 })
    }
    if (volumes !== this.#volumes) this.#recount(volumes)
    if (servers !== this.#servers) this.#forgetOthers(servers)
    this.#servers = servers
    return this.#counts
  }

  #recount(volumes: Configuration['volumes']): void {
    for (const [id, volume] of this.#volumes) {
      if (volumes.get(id) !== volume) this.#add(volume, -1)
    }
    for (const [id, volume] of volumes) {
      if (this.#volumes.get(id) !== volume) this.#add(volume, 1)
    }
    this.#volumes = volumes
  }

  #add({ shards }: VolumeRecord, by: 1 | -1): void {
    for (const { replicas } of shards) {
      for (const { server } of replicas) this.#counts.get(server)!.replicas += by
      this.#counts.get(replicas[0]!.server)!.primaries += by
    }
  }

  #forgetOthers(servers: Configuration['servers']): void {
    for (const [id, { replicas }] of this.#counts) {
      if (servers.has(id)) continue
      assert(replicas === 0, 'who has left the cluster holds nothing')
      this.#counts.delete(id)
    }
  }
}
