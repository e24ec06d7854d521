// The peers of this process: who is connected in which role, and requests between them. It stands
// on a Network, so it is the same code in production and in the simulator. (Contract; the
// implementation is SwarmPeers in peer-table.ts.)
//
// Every peer has a control path (the first link) and a data path (a direct link where one can be
// opened, else the same swarm link). Which path an operation takes is a column of the operations
// table. When a path breaks or is replaced, its outstanding requests end with LOST, and the peer's
// `path` number grows: a receiver ignores what still arrives on an older path of that peer.
import type { ClusterId, Epoch, Incarnation, PeerId } from '../base/brands.js'
import type { Address } from '../layout/configuration.js'
import type { OperationName, Reply, Request } from './operations.js'

export type Role = 'manager' | 'storage' | 'client'

/**
 * The link broke, or was replaced, or the deadline passed: the request may or may not have been
 * executed.
 */
export const LOST = Symbol('lost')
export type Lost = typeof LOST

/** What a peer says of itself in its hello, after admission. */
export interface PeerInfo {
  readonly id: PeerId
  readonly roles: readonly Role[]
  readonly name: string
  readonly incarnation: Incarnation
  readonly cluster: ClusterId | null
  readonly epoch: Epoch
  readonly addresses: readonly Address[]
  /** Grows whenever the data path to this peer is a new one. */
  readonly path: number
  readonly dataPath: 'swarm' | 'direct'
}

export interface PeerEvents {
  connected?(peer: PeerInfo): void
  /** A new data path; what was outstanding on the old one has ended with LOST. */
  rerouted?(peer: PeerInfo): void
  disconnected?(peer: PeerInfo): void
}

/** Answer at most once; nothing happens if the peer is gone by then. */
export type Answer<O extends OperationName> = (reply: Reply<O>) => void

/**
 * Must return quickly; for requests it answers now or later through `answer`, for notifications
 * `answer` does nothing. Handlers return nothing: no promise of theirs holds other messages back.
 */
export type OperationHandler<O extends OperationName> = (
  request: Request<O>,
  from: PeerInfo,
  answer: Answer<O>,
) => void

export interface RequestOptions {
  /** Milliseconds after which the request ends with LOST. Without it, only a lost link ends it. */
  readonly deadline?: number
}

export interface Peers {
  readonly self: PeerId
  list(): readonly PeerInfo[]
  find(id: PeerId): PeerInfo | undefined
  /** Returns the way to stop listening. */
  subscribe(events: PeerEvents): () => void
  /** Before start(). One handler for each operation. */
  serve<O extends OperationName>(operation: O, handler: OperationHandler<O>): void
  request<O extends OperationName>(
    to: PeerId,
    operation: O,
    request: Request<O>,
    options?: RequestOptions,
  ): Promise<Reply<O> | Lost>
  /** Sends a notification; false if the peer is not connected. */
  notify<O extends OperationName>(to: PeerId, operation: O, message: Request<O>): boolean
  /** Members of the configuration: redialled until connected, by identity and by address. */
  remember(
    members: readonly { readonly id: PeerId; readonly addresses: readonly Address[] }[],
  ): void
  /** Told to peers in the hello of later links. */
  describe(self: { readonly cluster: ClusterId | null; readonly epoch: Epoch }): void
  start(): Promise<void>
  stop(): Promise<void>
}
