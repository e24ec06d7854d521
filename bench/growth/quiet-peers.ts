// Peers of one process without a network: all of a cluster are connected, requests are answered in
// the same turn by whoever measures.
import { epoch, type PeerId } from '../../src/base/brands.js'
import type { Configuration } from '../../src/layout/configuration.js'
import type { OperationName, Reply, Request } from '../../src/net/operations.js'
import {
  LOST,
  type Lost,
  type OperationHandler,
  type PeerInfo,
  type Peers,
  type Role,
} from '../../src/net/peers.js'
import { CLIENT, MANAGER, START } from './cluster.js'

type Answering = (operation: OperationName, request: unknown) => unknown

export class QuietPeers implements Peers {
  readonly self: PeerId
  readonly #peers: ReadonlyMap<PeerId, PeerInfo>
  readonly #answer: Answering
  readonly #handlers = new Map<OperationName, unknown>()

  /** `answer`: undefined, and the request is lost. */
  constructor(self: PeerId, configuration: Configuration, answer: Answering) {
    this.self = self
    this.#answer = answer
    const servers = [...configuration.servers.keys()].map(id => peer(id, 'storage'))
    const all = [peer(MANAGER, 'manager'), peer(CLIENT, 'client'), ...servers]
    this.#peers = new Map(all.map(one => [one.id, one]))
  }

  /** What this process does with a request. */
  handler<O extends OperationName>(operation: O): OperationHandler<O> {
    const found = this.#handlers.get(operation)
    if (found === undefined) throw new Error(`nobody serves ${operation}`)
    return found as OperationHandler<O>
  }

  list(): readonly PeerInfo[] {
    return [...this.#peers.values()]
  }

  find(id: PeerId): PeerInfo | undefined {
    return this.#peers.get(id)
  }

  subscribe(): () => void {
    return () => undefined
  }

  serve<O extends OperationName>(operation: O, handler: OperationHandler<O>): void {
    this.#handlers.set(operation, handler)
  }

  request<O extends OperationName>(
    _to: PeerId,
    operation: O,
    request: Request<O>,
  ): Promise<Reply<O> | Lost> {
    const reply = this.#answer(operation, request)
    return Promise.resolve(reply === undefined ? LOST : (reply as Reply<O>))
  }

  notify(): boolean {
    return true
  }

  remember(): void {
    // Nobody is dialled.
  }

  describe(): void {
    // Nobody is told.
  }

  start(): Promise<void> {
    return Promise.resolve()
  }

  stop(): Promise<void> {
    return Promise.resolve()
  }
}

function peer(id: PeerId, role: Role): PeerInfo {
  return {
    ...{ id, roles: [role], name: id.slice(-4), incarnation: START, cluster: null },
    ...{ epoch: epoch(0), addresses: [], path: 1, dataPath: 'direct' },
  }
}
