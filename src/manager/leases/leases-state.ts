// When the leader last heard of each storage server, and what follows: who is live, whose lease is
// over, who is being declared down. For one leadership: another leader begins with another state,
// in which everybody counts as heard of at the beginning, since leases of earlier leaders may run.
//
//   heard ── LEASE_MS + LEASE_MARGIN_MS ──> lease over ── condemn ──> condemned
//     ^                                                                   │
//     └── another start is on record, or `pardon`: nothing was changed <──┘
//
// A condemned server is given no lease: that its lease was over is why its copies are dropped, and
// it must stay so until it has registered again. One that is recorded as down is not in the state.
// Pure: times are given.
import type { Incarnation, PeerId } from '../../base/brands.js'
import { LEASE_MARGIN_MS, LEASE_MS } from '../../base/limits.js'
import type { Configuration } from '../../layout/configuration.js'
import { isDownState } from '../../layout/replicas.js'

interface Heard {
  readonly incarnation: Incarnation
  at: number
  /** False: only counts as heard of, because this leadership or its registration is new. */
  really: boolean
  condemned: boolean
}

export class LeasesState {
  readonly #servers = new Map<PeerId, Heard>()

  /** The newest configuration: new servers and new starts count as heard of now. */
  adopt({ servers }: Configuration, now: number): void {
    for (const [id, { state, incarnation }] of servers) {
      if (isDownState(state)) this.#servers.delete(id)
      else if (this.#servers.get(id)?.incarnation !== incarnation) {
        this.#servers.set(id, { incarnation, at: now, really: false, condemned: false })
      }
    }
    for (const id of [...this.#servers.keys()]) if (!servers.has(id)) this.#servers.delete(id)
  }

  /** True if it was not live before and is now. */
  heard(server: PeerId, now: number): boolean {
    const known = this.#servers.get(server)
    if (!known) return false
    const was = isLive(known, now)
    known.at = now
    known.really = true
    return !was && isLive(known, now)
  }

  /** May be given a lease: registered with this start, and not condemned. */
  mayServe(server: PeerId, incarnation: Incarnation): boolean {
    const known = this.#servers.get(server)
    return known?.incarnation === incarnation && !known.condemned
  }

  isCondemned(server: PeerId): boolean {
    return this.#servers.get(server)?.condemned ?? false
  }

  /** Heard of within the lease, in this leadership. */
  live(now: number): ReadonlyMap<PeerId, Incarnation> {
    const live = new Map<PeerId, Incarnation>()
    for (const [id, known] of this.#servers) if (isLive(known, now)) live.set(id, known.incarnation)
    return live
  }

  /** Those whose lease is over and that are not condemned yet. */
  over(now: number): readonly PeerId[] {
    return [...this.#servers]
      .filter(([, { at, condemned }]) => !condemned && endOf(at) <= now)
      .map(([id]) => id)
  }

  /** From now on it gets no lease. */
  condemn(server: PeerId): void {
    const known = this.#servers.get(server)
    if (known) known.condemned = true
  }

  /** It was not declared down after all, for certain. */
  pardon(server: PeerId): void {
    const known = this.#servers.get(server)
    if (known) known.condemned = false
  }

  /** It was declared down; if it is on record as up again already, it counts as heard of now. */
  declared(server: PeerId, configuration: Configuration, now: number): void {
    this.#servers.delete(server)
    this.adopt(configuration, now)
  }

  /** Milliseconds since something was heard of it; null if nothing was in this leadership. */
  silence(server: PeerId, now: number): number | null {
    const known = this.#servers.get(server)
    return known?.really ? now - known.at : null
  }

  incarnationOf(server: PeerId): Incarnation | null {
    return this.#servers.get(server)?.incarnation ?? null
  }

  /** When the next lease will be over; null if none runs. */
  nextEnd(): number | null {
    let next: number | null = null
    for (const { at, condemned } of this.#servers.values()) {
      if (!condemned) next = Math.min(next ?? Infinity, endOf(at))
    }
    return next
  }
}

/** The server counts from when it sent, which is before anything was heard. */
function endOf(heard: number): number {
  return heard + LEASE_MS + LEASE_MARGIN_MS
}

function isLive({ at, really, condemned }: Heard, now: number): boolean {
  return really && !condemned && now < at + LEASE_MS
}
