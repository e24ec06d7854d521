// A process as a member of the swarm: network, peers and configuration watch wired together with
// the real clock and randomness. The roles stand on it.
import { incarnation, type Incarnation, type PeerId } from '../../base/brands.js'
import { systemClock } from '../../base/clock.js'
import type { Log } from '../../base/log.js'
import { systemRandom } from '../../base/random.js'
import { IDENTITY_SEED_BYTES, keyPairFromSeed, type KeyPair } from '../../net/identity.js'
import { PeerTable } from '../../net/peer-table.js'
import type { Role } from '../../net/peers.js'
import { SwarmNetwork } from '../../net/swarm-network.js'
import type { ClusterAccess } from './cluster-access.js'

export interface SwarmMember {
  readonly id: PeerId
  readonly network: SwarmNetwork
  readonly peers: PeerTable
  /** Resolves when this process listens; peers are found afterwards. */
  start(): Promise<void>
  stop(): Promise<void>
}

export interface MemberOptions {
  readonly access: ClusterAccess
  readonly roles: readonly Role[]
  readonly name: string
  readonly log: Log
  /** Clients make an identity for each start. */
  readonly keyPair?: KeyPair
  readonly incarnation?: Incarnation
  readonly port?: number
}

export function createMember(options: MemberOptions): SwarmMember {
  const { access, log, roles, name } = options
  const keyPair = options.keyPair ?? keyPairFromSeed(systemRandom.bytes(IDENTITY_SEED_BYTES))
  const network = new SwarmNetwork({
    keyPair,
    clusterKey: access.key,
    server: roles.some(role => role !== 'client'),
    bootstrap: access.bootstrap,
    host: access.host,
    port: options.port ?? 0,
    log,
    clock: systemClock,
  })
  const peers = new PeerTable({
    network,
    clock: systemClock,
    random: systemRandom,
    log,
    self: { roles, name, incarnation: options.incarnation ?? incarnation(1) },
    seeds: access.peers,
  })
  return {
    id: network.self,
    network,
    peers,
    start: () => peers.start(),
    stop: () => peers.stop(),
  }
}
