// A link: an authenticated, encrypted, framed connection between two peers, already admitted (both
// sides have proven that they know the cluster key). Frames arrive whole, in order, each once, or
// the link closes. `Network` is the boundary between swarmdisk and the outside: the real one is
// hyperswarm and TCP, the simulated one a table of queues that delay and break.
import type { PeerId } from '../base/brands.js'
import type { Address } from '../layout/configuration.js'
import type { FrameMemory } from './wire/frame-memory.js'

/** `swarm`: what everyone has. `direct`: a TCP connection with the same Noise identities. */
export type LinkKind = 'swarm' | 'direct'

export interface Link {
  readonly remote: PeerId
  readonly kind: LinkKind
  /** True on the side that opened the connection. */
  readonly initiator: boolean
  /** Memory for the next frame to be sent: what is sent in it may be spared a copy. */
  allocate(bytes: number): Uint8Array
  /**
   * Queues one frame, which must not be empty, nor changed afterwards. False: the other side is
   * slow, send no more data before `drain`.
   */
  send(frame: Uint8Array): boolean
  /** Set once, before the first frame can arrive. */
  listen(events: LinkEvents): void
  close(): void
}

export interface LinkEvents {
  frame(frame: Uint8Array): void
  drain(): void
  /** Called once, also after close(). */
  closed(): void
}

export interface NetworkEvents {
  /** A new admitted link, opened by either side. `listen` must be called before returning. */
  link(link: Link): void
}

export interface Network {
  readonly self: PeerId
  /** Where other peers can open direct links to us; empty for clients. Known after start(). */
  readonly addresses: readonly Address[]
  /** Where it has the memory of large frames from. */
  readonly memory: FrameMemory
  start(events: NetworkEvents): Promise<void>
  /** Tries to open a swarm link to a peer whose identity is known; the result arrives as a link. */
  dialPeer(peer: PeerId): void
  /**
   * Tries to open a direct link; it arrives as a link, or null says that it could not be opened.
   */
  dialAddress(address: Address, expected: PeerId | null): Promise<Link | null>
  stop(): Promise<void>
}
