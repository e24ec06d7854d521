// Volumes that a planner has looked at and found nothing to do for. Asked again under the same
// circumstances it may pass them by, as long as their records are the same: after a change it looks
// at the few volumes that changed, however many there are.
import type { Configuration, VolumeRecord } from '../configuration.js'
import type { Connected } from '../replicas.js'

export class Settled {
  #servers: Configuration['servers'] | null = null
  #connected: Connected | null = null
  #volumes = new WeakSet<VolumeRecord>()

  /** Before anything is asked: if a server or a connection is another one, all are looked at. */
  under(servers: Configuration['servers'], connected: Connected): void {
    const same = this.#connected !== null && sameEntries(this.#connected, connected)
    if (servers === this.#servers && same) return
    this.#servers = servers
    // A copy, since the caller's may change under us.
    this.#connected = new Map(connected)
    this.#volumes = new WeakSet()
  }

  has(volume: VolumeRecord): boolean {
    return this.#volumes.has(volume)
  }

  add(volume: VolumeRecord): void {
    this.#volumes.add(volume)
  }
}

function sameEntries(a: Connected, b: Connected): boolean {
  if (a.size !== b.size) return false
  for (const [id, incarnation] of a) if (b.get(id) !== incarnation) return false
  return true
}
