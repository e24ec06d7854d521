// Several managers and what is under way between them, for the tests of the Raft core. Nothing
// happens by itself: a scenario or a walk says what arrives, what becomes durable, and what time it
// is. Messages to and from a manager that is down or cut off are lost.
import { assert } from '../../../src/base/assert.js'
import type { PeerId } from '../../../src/base/brands.js'
import {
  CLOCK_DRIFT_MARGIN_MS,
  ELECTION_TIMEOUT_MAX_MS,
  ELECTION_TIMEOUT_MIN_MS,
  RAFT_APPEND_BYTES_MAX,
  RAFT_HEARTBEAT_MS,
  RAFT_RESEND_MS,
} from '../../../src/base/limits.js'
import type { RaftEvent, RaftTimings } from '../../../src/manager/raft/raft-types.js'
import type { LogEntry, RaftMessage } from '../../../src/net/manager-messages.js'
import { logIndex, raftTerm } from '../../../src/manager/raft/raft-log.js'
import { RaftNode, type NodeObserver, type RaftDisk } from './raft-node.js'

export interface Envelope {
  readonly from: PeerId
  readonly to: PeerId
  readonly message: RaftMessage
}

export interface GroupOptions {
  readonly observer: Omit<NodeObserver, 'send'>
  /** Chance of the next event of this manager, in [0, 1). */
  readonly jitter: (id: PeerId) => number
  /** Takes what is sent; by default it waits in `wire`. */
  readonly carry?: (envelope: Envelope) => void
}

export const TIMINGS: RaftTimings = {
  heartbeat: RAFT_HEARTBEAT_MS,
  electionMin: ELECTION_TIMEOUT_MIN_MS,
  electionMax: ELECTION_TIMEOUT_MAX_MS,
  driftMargin: CLOCK_DRIFT_MARGIN_MS,
  resend: RAFT_RESEND_MS,
}

export const peer = (name: string | number): PeerId => String(name) as PeerId

export class RaftGroup {
  readonly #o: GroupOptions
  readonly #nodes = new Map<PeerId, RaftNode>()
  readonly #cut = new Set<string>()
  wire: Envelope[] = []
  #now = 0

  constructor(options: GroupOptions) {
    this.#o = options
  }

  get now(): number {
    return this.#now
  }

  get nodes(): readonly RaftNode[] {
    return [...this.#nodes.values()]
  }

  get up(): readonly RaftNode[] {
    return this.nodes.filter(node => node.isUp)
  }

  node(id: PeerId): RaftNode {
    const node = this.#nodes.get(id)
    assert(node, `there is a manager ${id}`)
    return node
  }

  has(id: PeerId): boolean {
    return this.#nodes.has(id)
  }

  add(id: PeerId, disk: RaftDisk): RaftNode {
    const send = ({ id: from }: RaftNode, to: PeerId, message: RaftMessage): void => {
      if (this.canReach(from, to)) this.#carry({ from, to, message })
    }
    const node = new RaftNode(id, TIMINGS, { ...this.#o.observer, send })
    this.#nodes.set(id, node)
    node.start(this.#moment(id), disk)
    return node
  }

  /** Time only runs forward. */
  goTo(now: number): void {
    assert(now >= this.#now, 'time runs forward')
    this.#now = now
  }

  step(id: PeerId, event: RaftEvent): void {
    this.node(id).step(event, this.#moment(id))
  }

  deliver({ from, to, message }: Envelope): void {
    if (this.canReach(from, to)) this.step(to, { kind: 'message', from, message })
  }

  persist(id: PeerId, count = Infinity): void {
    this.node(id).persist(count, this.#moment(id))
  }

  compact(id: PeerId): void {
    this.node(id).compact(this.#moment(id))
  }

  crash(id: PeerId, written = 0): void {
    this.node(id).crash(written)
    this.wire = this.wire.filter(({ from, to }) => from !== id && to !== id)
  }

  restart(id: PeerId): void {
    this.node(id).start(this.#moment(id))
    for (const { id: other } of this.up) if (other !== id) this.reconnect(id, other)
  }

  /** Both notice that the link between them is new. */
  reconnect(a: PeerId, b: PeerId): void {
    if (!this.canReach(a, b) || !this.canReach(b, a)) return
    this.step(a, { kind: 'reconnected', peer: b })
    this.step(b, { kind: 'reconnected', peer: a })
  }

  /** Nothing gets from one to the other any more; what is under way is lost. */
  cut(from: PeerId, to: PeerId): void {
    this.#cut.add(`${from}>${to}`)
    this.wire = this.wire.filter(envelope => envelope.from !== from || envelope.to !== to)
  }

  heal(): void {
    const cut = [...this.#cut].map(pair => pair.split('>') as [PeerId, PeerId])
    this.#cut.clear()
    const pairs = new Set(cut.map(([a, b]) => [a, b].sort().join('>')))
    for (const pair of pairs) {
      const [a, b] = pair.split('>') as [PeerId, PeerId]
      this.reconnect(a, b)
    }
  }

  canReach(from: PeerId, to: PeerId): boolean {
    const target = this.#nodes.get(to)
    const isUp = target?.isUp === true && this.#nodes.get(from)?.isUp === true
    return isUp && !this.#cut.has(`${from}>${to}`)
  }

  #carry(envelope: Envelope): void {
    if (this.#o.carry) this.#o.carry(envelope)
    else this.wire.push(envelope)
  }

  #moment(id: PeerId): { readonly now: number; readonly jitter: number } {
    return { now: this.#now, jitter: this.#o.jitter(id) }
  }
}

/** Says that it is so large that a message has no room for another one, without being large. */
export class HeavyBytes extends Uint8Array {
  override get byteLength(): number {
    return RAFT_APPEND_BYTES_MAX
  }
}

/** A disk whose log has entries of these terms; the first says who votes. */
export function diskWith(members: readonly PeerId[], terms: readonly number[]): RaftDisk {
  const entries = terms.map((term, i): LogEntry => ({
    index: logIndex(i + 1),
    term: raftTerm(term),
    members: i === 0 ? members : null,
    data: new Uint8Array(0),
  }))
  return {
    hardState: { term: raftTerm(terms.at(-1) ?? 0), vote: null },
    snapshot: null,
    entries,
    commit: logIndex(entries.length > 0 ? 1 : 0),
  }
}
