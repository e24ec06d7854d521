// One connection between two simulated peers: two ends, and for each direction a queue of frames
// that arrive in order, after a delay, at a limited rate. Like TCP, a cut wire holds frames back;
// only closing loses them. What is due when the receiver wakes up comes in one turn, as from a
// socket's buffer: one message is handled before what follows from the one before it.
import type { PeerId } from '../../src/base/brands.js'
import type { Clock, Timer } from '../../src/base/clock.js'
import type { Link, LinkEvents, LinkKind } from '../../src/net/link.js'
import type { SeededRandom } from './seeded-random.js'

export interface LinkTraits {
  /** Milliseconds on the wire, drawn for each frame. */
  readonly delay: { readonly least: number; readonly most: number }
  /** Bytes per millisecond; Infinity for a wire that is never the bottleneck. */
  readonly bandwidth: number
  /** Bytes under way after which send() asks the sender to wait. */
  readonly window: number
}

export interface Wire {
  readonly clock: Clock
  readonly random: SeededRandom
  readonly traits: LinkTraits
  /** False while frames cannot pass; looked at whenever one is due. */
  passes(from: PeerId, to: PeerId): boolean
  /** Now, or when the process of this peer goes on. */
  tell(peer: PeerId, what: () => void): void
}

/** Now and then a receiver looks only after this time, and finds what has come meanwhile. */
const NAP_MS = 0.5
const NAP_CHANCE = 0.15

type Parcel = { readonly frame: Uint8Array } | 'closed'

/** The way from one end to the other. */
class Direction {
  readonly #wire: Wire
  readonly #from: PeerId
  readonly #to: PeerId
  readonly #deliver: (parcel: Parcel) => void
  readonly #drained: () => void
  #queue: { readonly parcel: Parcel; readonly due: number; readonly size: number }[] = []
  #timer: Timer | null = null
  #lastDue = 0
  #bytes = 0
  #full = false

  constructor(options: {
    readonly wire: Wire
    readonly from: PeerId
    readonly to: PeerId
    readonly deliver: (parcel: Parcel) => void
    readonly drained: () => void
  }) {
    this.#wire = options.wire
    this.#from = options.from
    this.#to = options.to
    this.#deliver = options.deliver
    this.#drained = options.drained
  }

  send(parcel: Parcel): boolean {
    const { clock, random, traits } = this.#wire
    const size = parcel === 'closed' ? 0 : parcel.frame.length
    const spread = traits.delay.most - traits.delay.least
    const arrival = clock.now() + traits.delay.least + spread * (random.below(1_000) / 1_000)
    this.#lastDue = Math.max(this.#lastDue, arrival) + size / traits.bandwidth
    this.#queue.push({ parcel, due: this.#lastDue, size })
    this.#bytes += size
    this.#schedule()
    this.#full ||= this.#bytes > traits.window
    return !this.#full
  }

  /** Frames under way are lost. */
  cut(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#queue = []
    this.#bytes = 0
  }

  /** After the wire was mended: what was held back is due now. */
  resume(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#schedule()
  }

  #schedule(): void {
    const next = this.#queue[0]
    if (this.#timer || !next || !this.#wire.passes(this.#from, this.#to)) return
    const { clock, random } = this.#wire
    const nap = random.chance(NAP_CHANCE) ? NAP_MS : 0
    this.#timer = clock.after(next.due - clock.now() + nap, () => {
      this.#timer = null
      while (this.#deliverNext());
      this.#schedule()
    })
  }

  /** False if nothing more is due, or can pass. */
  #deliverNext(): boolean {
    const [next] = this.#queue
    const { clock, traits } = this.#wire
    if (!next || next.due > clock.now() || !this.#wire.passes(this.#from, this.#to)) return false
    this.#queue.shift()
    this.#bytes -= next.size
    this.#deliver(next.parcel)
    if (this.#full && this.#bytes <= traits.window / 2) {
      this.#full = false
      this.#wire.tell(this.#from, this.#drained)
    }
    return true
  }
}

export class SimulatedLink implements Link {
  readonly remote: PeerId
  readonly kind: LinkKind
  readonly initiator: boolean
  readonly #self: PeerId
  #events: LinkEvents | null = null
  #out: Direction | null = null
  /** `broken`: nothing passes any more, but this end does not know it yet. */
  #state: 'open' | 'broken' | 'closing' | 'closed' = 'open'
  readonly #wire: Wire

  constructor(options: {
    readonly self: PeerId
    readonly remote: PeerId
    readonly kind: LinkKind
    readonly initiator: boolean
    readonly wire: Wire
  }) {
    this.#self = options.self
    this.remote = options.remote
    this.kind = options.kind
    this.initiator = options.initiator
    this.#wire = options.wire
  }

  static pair(
    wire: Wire,
    kind: LinkKind,
    peers: { readonly from: PeerId; readonly to: PeerId },
  ): readonly [SimulatedLink, SimulatedLink] {
    const { from, to } = peers
    const near = new SimulatedLink({ self: from, remote: to, kind, initiator: true, wire })
    const far = new SimulatedLink({ self: to, remote: from, kind, initiator: false, wire })
    near.#connect(far, { from, to })
    far.#connect(near, { from: to, to: from })
    return [near, far]
  }

  get open(): boolean {
    return this.#state === 'open'
  }

  allocate(bytes: number): Uint8Array {
    // Not cut from a slab: each frame has memory of its own, which may be spoiled.
    return Buffer.allocUnsafeSlow(bytes)
  }

  send(frame: Uint8Array): boolean {
    // To a link that is gone, or will be: dropped.
    if (this.#state !== 'open') return true
    return this.#out!.send({ frame })
  }

  listen(events: LinkEvents): void {
    this.#events = events
  }

  close(): void {
    if (this.#state === 'broken') this.#end()
    if (this.#state !== 'open') return
    this.#state = 'closing'
    // A closed socket sometimes still delivers what was under way, and sometimes does not.
    if (this.#wire.random.chance(0.5)) this.#out!.cut()
    this.#out!.send('closed')
    this.#endLater(0)
  }

  /** The connection breaks: what is under way is lost, this end learns of it after `delay`. */
  break(delay: number): void {
    if (this.#state === 'open') this.#state = 'broken'
    this.#out!.cut()
    this.#endLater(delay)
  }

  /**
   * The process of this end is gone: nothing happens here any more. What it has sent is lost, or
   * arrives; then the other end is told, unless nobody is left to tell it.
   */
  vanish(sent: 'lost' | 'arrives' | 'arrives and ends'): void {
    if (sent === 'lost') this.#out!.cut()
    if (sent === 'arrives and ends') this.#out!.send('closed')
    this.#events = null
    this.#state = 'closed'
  }

  resume(): void {
    this.#out!.resume()
  }

  #connect(other: SimulatedLink, peers: { readonly from: PeerId; readonly to: PeerId }): void {
    this.#out = new Direction({
      wire: this.#wire,
      ...peers,
      deliver: parcel => other.#arrive(parcel),
      drained: () => {
        if (this.#state === 'open') this.#events?.drain()
      },
    })
  }

  #arrive(parcel: Parcel): void {
    if (parcel === 'closed') {
      this.#out!.cut()
      this.#end()
    } else if (this.#state === 'open') this.#events?.frame(parcel.frame)
  }

  #endLater(delay: number): void {
    this.#wire.clock.after(delay, () => this.#wire.tell(this.#self, () => this.#end()))
  }

  #end(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    const events = this.#events
    this.#events = null
    events?.closed()
  }
}
