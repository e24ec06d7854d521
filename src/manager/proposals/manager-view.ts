// Whom this manager reaches right now, as the votes and the status of the cluster see it.
import type { ClusterId, Incarnation, PeerId } from '../../base/brands.js'
import type { PeerInfo, Peers, Role } from '../../net/peers.js'
import type { ManagerView } from './manager-opinion.js'

/** Connected peers with a role, without those whose data directory is of another cluster. */
export function connectedPeers(
  peers: Pick<Peers, 'list'>,
  role: Role,
  cluster: ClusterId,
): readonly PeerInfo[] {
  return peers
    .list()
    .filter(peer => peer.roles.includes(role))
    .filter(peer => peer.cluster === null || peer.cluster === cluster)
}

export function managerView(peers: Pick<Peers, 'list' | 'self'>, cluster: ClusterId): ManagerView {
  const servers = new Map<PeerId, Incarnation>()
  for (const { id, incarnation } of connectedPeers(peers, 'storage', cluster)) {
    servers.set(id, incarnation)
  }
  const managers = connectedPeers(peers, 'manager', cluster).map(({ id }) => id)
  return { self: peers.self, servers, managers: new Set([peers.self, ...managers]) }
}
