// One connected peer: its links, and which of them carries what. Control goes over the swarm link,
// or over the direct one if that is all there is; data over the path that data-path.ts agrees on.
// The peer is connected from its first hello until its last link is gone.
import type { PeerId } from '../../base/brands.js'
import type { Clock, Timer } from '../../base/clock.js'
import {
  DATA_PATH_WAIT_MS,
  LINK_REQUESTS_WAITING_MAX,
  LINK_YOUNG_MS,
  LINKS_OF_A_KIND_MAX,
  REDIAL_INTERVAL_MAX_MS,
} from '../../base/limits.js'
import type { Random } from '../../base/random.js'
import type { Address } from '../../layout/configuration.js'
import type { LinkKind } from '../link.js'
import type { PeerInfo, Role } from '../peers.js'
import type { PendingCall } from './call.js'
import type { Channel } from './channel.js'
import { DataPath } from './data-path.js'
import type { Parcel, PathAnnouncement } from './entry.js'
import type { Hello } from './hello.js'
import { Redial } from './redial.js'

/** What decides who opens the direct link between two peers. */
export interface Dialable {
  readonly id: PeerId
  readonly roles: readonly Role[]
  readonly addresses: readonly Address[]
}

/**
 * Clients dial storage servers; of two storage servers the one with the smaller id dials, or the
 * only one that can. Nothing else is moved to direct links: managers exchange no data.
 */
export function dialsDirect(from: Dialable, to: Dialable): boolean {
  if (to.addresses.length === 0 || !to.roles.includes('storage')) return false
  if (!from.roles.includes('storage')) return from.roles.includes('client')
  return from.id < to.id || from.addresses.length === 0
}

export interface RemotePeerOptions {
  readonly clock: Clock
  readonly random: Random
  readonly self: Dialable
  readonly hello: Hello
  readonly id: PeerId
  readonly nextPath: () => number
  /** Opens a direct link, which then comes in as a channel. */
  readonly dial: (address: Address) => Promise<boolean>
  readonly rerouted: (info: PeerInfo) => void
}

export class RemotePeer {
  readonly id: PeerId
  readonly #options: RemotePeerOptions
  readonly #path: DataPath<Channel>
  readonly #redial: Redial | null
  /** Runs while a direct link may still come up before the first data is sent. */
  #undecided: Timer | null = null
  #channels: readonly Channel[] = []
  /** Data that waits for the first decision about its path. */
  #waiting: ((channel: Channel) => void)[] = []
  #hello: Hello
  #info: PeerInfo

  constructor(options: RemotePeerOptions) {
    const { id, self, hello, clock } = options
    this.id = id
    this.#options = options
    this.#hello = hello
    this.#path = new DataPath({ decider: self.id < id, number: options.nextPath() })
    this.#info = this.#describe()
    const remote: Dialable = { id, roles: hello.roles, addresses: hello.addresses }
    this.#redial = dialsDirect(self, remote) ? this.#redialDirect() : null
    if (this.#redial || dialsDirect(remote, self)) {
      this.#undecided = clock.after(DATA_PATH_WAIT_MS, () => this.#settle())
    }
    this.#redial?.start(null)
  }

  get info(): PeerInfo {
    return this.#info
  }

  get hello(): Hello {
    return this.#hello
  }

  has(kind: LinkKind): boolean {
    return this.#channels.some(channel => channel.kind === kind)
  }

  uses(channel: Channel): boolean {
    return this.#channels.includes(channel)
  }

  /** True for the link from which data operations are taken. */
  takesDataFrom(channel: Channel): boolean {
    return this.#path.takesFrom(channel)
  }

  /** A link of this peer whose hello has arrived. */
  add(channel: Channel, hello: Hello): void {
    this.#hello = hello
    this.#info = this.#describe()
    this.#channels = [...this.#channels, channel]
    this.#preferOne(channel.kind)
    const best = this.#best()
    const wait = this.#undecided !== null && best?.kind === 'swarm'
    if (best && best !== this.#path.current && !wait) this.#choose(best)
  }

  /** Returns true if that was the last link. */
  remove(channel: Channel): boolean {
    this.#channels = this.#channels.filter(other => other !== channel)
    for (const other of this.#channels) other.doubt()
    const next = this.#best()
    if (next === undefined) {
      this.#undecided?.cancel()
      this.#redial?.stop()
      for (const send of this.#waiting.splice(0)) send(channel)
      return true
    }
    if (this.#path.current === channel) this.#choose(next)
    return false
  }

  announced(channel: Channel, announcement: PathAnnouncement): void {
    const left = this.#path.current
    if (!this.#path.heard(channel, announcement)) return
    this.#choose(channel, true)
    // They gave the direct link up: it is broken, whatever it looks like from here.
    if (left?.kind === 'direct' && channel.kind === 'swarm') left.close('the peer fell back')
  }

  send(call: PendingCall): void {
    if (call.path === 'control') this.#control().send(call)
    else this.#data(channel => channel.send(call))
  }

  notify(parcel: Parcel): void {
    if (parcel.lane === 'control') this.#control().notify(parcel)
    else this.#data(channel => channel.notify(parcel))
  }

  closeAll(reason: string): void {
    for (const channel of this.#channels) channel.close(reason)
  }

  #control(): Channel {
    return (this.#preferred('swarm') ?? this.#preferred('direct'))!
  }

  #data(send: (channel: Channel) => void): void {
    if (this.#waiting.length >= LINK_REQUESTS_WAITING_MAX) this.#settle()
    const current = this.#path.current
    if (current === null) this.#waiting.push(send)
    else send(current)
  }

  /** The first attempt at a direct link has failed, or takes too long. */
  #settle(): void {
    const best = this.#best()
    if (this.#path.current === null && best) this.#choose(best)
  }

  #best(): Channel | undefined {
    return this.#preferred('direct') ?? this.#preferred('swarm')
  }

  #choose(channel: Channel, following = false): void {
    const before = this.#path.current
    before?.loseData()
    this.#undecided?.cancel()
    this.#undecided = null
    channel.announce(this.#path.choose(channel, this.#options.nextPath, following))
    this.#info = this.#describe()
    for (const send of this.#waiting.splice(0)) send(channel)
    if (before !== null) this.#options.rerouted(this.#info)
  }

  #describe(): PeerInfo {
    const { roles, name, incarnation, cluster, epoch, addresses } = this.#hello
    return {
      id: this.id,
      roles,
      name,
      incarnation,
      cluster,
      epoch,
      addresses,
      path: this.#path.number,
      dataPath: this.#path.current?.kind ?? 'swarm',
    }
  }

  /** Of several links of one kind, the one to use. */
  #preferred(kind: LinkKind): Channel | undefined {
    let best: Channel | undefined
    for (const channel of this.#channels) {
      if (channel.kind === kind) best = best === undefined ? channel : this.#better(best, channel)
    }
    return best
  }

  /** The newer link; but of two opened by both sides at once, the one of the smaller id. */
  #better(older: Channel, newer: Channel): Channel {
    const young = this.#options.clock.now() - older.since < LINK_YOUNG_MS
    if (!young || older.initiator === newer.initiator) return newer
    const smallerIsSelf = this.#options.self.id < this.id
    return older.initiator === smallerIsSelf ? older : newer
  }

  /**
   * Only the side with the smaller id closes what is superfluous, so the two sides can never close
   * a link each and be left without any. The other side prefers by the same rule, and closes only
   * what piles up.
   */
  #preferOne(kind: LinkKind): void {
    const rivals = this.#channels.filter(channel => channel.kind === kind)
    const best = this.#preferred(kind)
    const decider = this.#options.self.id < this.id
    const surplus = rivals.filter(channel => channel !== best)
    const doomed = decider ? surplus : surplus.slice(0, rivals.length - LINKS_OF_A_KIND_MAX)
    for (const channel of doomed) channel.close('replaced by another link')
  }

  #redialDirect(): Redial {
    const { clock, random, dial, hello } = this.#options
    return new Redial({
      clock,
      random,
      needed: () => !this.has('direct'),
      longest: () => REDIAL_INTERVAL_MAX_MS,
      attempt: async () => {
        for (const address of hello.addresses) if (await dial(address)) return
        this.#settle()
      },
    })
  }
}
