// Peers without a network: the test connects and disconnects them, says how each answers a request,
// and hands in notifications. For tests of one part; several parts together use PeerTable.
import { epoch, incarnation, peerId, type PeerId } from '../../src/base/brands.js'
import type { OperationName, Reply, Request } from '../../src/net/operations.js'
import {
  LOST,
  type Lost,
  type OperationHandler,
  type PeerEvents,
  type PeerInfo,
  type Peers,
  type RequestOptions,
  type Role,
} from '../../src/net/peers.js'
import type { VirtualClock } from '../simulator/virtual-clock.js'

export function testPeer(n: number): PeerId {
  return peerId(n.toString(16).padStart(64, '0'))
}

export interface SentRequest {
  readonly to: PeerId
  readonly operation: OperationName
  readonly request: unknown
  readonly answer: (reply: unknown) => void
}

interface Outstanding extends SentRequest {
  readonly lose: () => void
}

type AnyHandler = (request: never, from: PeerInfo, answer: (reply: never) => void) => void

export class ScriptedPeers implements Peers {
  readonly self = testPeer(0xffff)
  readonly notified: { to: PeerId; operation: OperationName; message: unknown }[] = []
  readonly described: unknown[] = []
  remembered: readonly { readonly id: PeerId }[] = []
  /** Called for every request; keeps `answer` for later if it likes. */
  script: (sent: SentRequest) => void = () => undefined
  readonly #clock: VirtualClock
  readonly #connected = new Map<PeerId, PeerInfo>()
  readonly #listeners = new Set<PeerEvents>()
  readonly #handlers = new Map<OperationName, AnyHandler>()
  readonly #outstanding = new Set<Outstanding>()

  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  connect(id: PeerId, roles: readonly Role[], fields: Partial<PeerInfo> = {}): PeerInfo {
    const peer: PeerInfo = {
      id,
      roles,
      name: id.slice(-2),
      incarnation: incarnation(1),
      cluster: null,
      epoch: epoch(0),
      addresses: [],
      path: 1,
      dataPath: 'direct',
      ...fields,
    }
    this.#connected.set(id, peer)
    for (const events of [...this.#listeners]) events.connected?.(peer)
    return peer
  }

  disconnect(id: PeerId): void {
    const peer = this.#connected.get(id)
    if (!peer) return
    this.#connected.delete(id)
    this.#lose(id)
    for (const events of [...this.#listeners]) events.disconnected?.(peer)
  }

  reroute(id: PeerId): void {
    const peer = this.#connected.get(id)
    if (!peer) throw new Error('not connected')
    const next = { ...peer, path: peer.path + 1 }
    this.#connected.set(id, next)
    this.#lose(id)
    for (const events of [...this.#listeners]) events.rerouted?.(next)
  }

  deliver<O extends OperationName>(from: PeerId, operation: O, message: Request<O>): void {
    const peer = this.#connected.get(from)
    const handler = this.#handlers.get(operation)
    if (!peer || !handler) throw new Error('nobody to deliver to')
    handler(message as never, peer, () => undefined)
  }

  outstanding(): number {
    return this.#outstanding.size
  }

  list(): readonly PeerInfo[] {
    return [...this.#connected.values()]
  }

  find(id: PeerId): PeerInfo | undefined {
    return this.#connected.get(id)
  }

  subscribe(events: PeerEvents): () => void {
    this.#listeners.add(events)
    return () => this.#listeners.delete(events)
  }

  serve<O extends OperationName>(operation: O, handler: OperationHandler<O>): void {
    this.#handlers.set(operation, handler as unknown as AnyHandler)
  }

  request<O extends OperationName>(
    to: PeerId,
    operation: O,
    request: Request<O>,
    options: RequestOptions = {},
  ): Promise<Reply<O> | Lost> {
    if (!this.#connected.has(to)) return Promise.resolve(LOST)
    return new Promise(resolve => {
      const end = (value: unknown): void => {
        if (this.#outstanding.delete(sent)) resolve(value as Reply<O> | Lost)
      }
      const sent: Outstanding = { to, operation, request, answer: end, lose: () => end(LOST) }
      this.#outstanding.add(sent)
      if (options.deadline !== undefined) this.#clock.after(options.deadline, sent.lose)
      this.script(sent)
    })
  }

  notify<O extends OperationName>(to: PeerId, operation: O, message: Request<O>): boolean {
    if (!this.#connected.has(to)) return false
    this.notified.push({ to, operation, message })
    return true
  }

  remember(members: readonly { readonly id: PeerId }[]): void {
    this.remembered = members
  }

  describe(self: unknown): void {
    this.described.push(self)
  }

  start(): Promise<void> {
    return Promise.resolve()
  }

  stop(): Promise<void> {
    return Promise.resolve()
  }

  #lose(id: PeerId): void {
    for (const sent of [...this.#outstanding]) if (sent.to === id) sent.lose()
  }
}
