// What a list of replicas says, together with the servers they are on.
//
// An in-sync replica *keeps its memory* while its server has not restarted since: the replica's
// incarnation is the server's recorded one. A restarted one may have lost what was not flushed.
import type { Incarnation, PeerId } from '../base/brands.js'
import type {
  Configuration,
  Replica,
  ServerRecord,
  ServerState,
  ShardAllocation,
} from './configuration.js'

/** The servers that talk to the managers now, each with the start that it says it is. */
export type Connected = ReadonlyMap<PeerId, Incarnation>

export interface Observed {
  readonly configuration: Configuration
  readonly connected: Connected
}

/** Whether the server has not restarted since this replica was given its state. */
export function keepsMemory(configuration: Configuration, replica: Replica): boolean {
  return configuration.servers.get(replica.server)?.incarnation === replica.incarnation
}

const inSync = new WeakMap<ServerRecord, Replica>()

/** One object for all the shards of a server: there are many of them, in every peer's memory. */
export function inSyncOn(server: ServerRecord): Replica {
  const known = inSync.get(server)
  if (known !== undefined) return known
  const { id, incarnation } = server
  const replica: Replica = { server: id, state: 'in-sync', incarnation }
  inSync.set(server, replica)
  return replica
}

export function inSyncOf({ replicas }: Pick<ShardAllocation, 'replicas'>): readonly Replica[] {
  return replicas.filter(replica => replica.state === 'in-sync')
}

/** Whether no in-sync replica stands behind a syncing one. */
export function inSyncFirst({ replicas }: Pick<ShardAllocation, 'replicas'>): boolean {
  return replicas.every(
    (replica, i) => i === 0 || replica.state === 'syncing' || replicas[i - 1]?.state === 'in-sync',
  )
}

export function isDown(configuration: Configuration, server: PeerId): boolean {
  const record = configuration.servers.get(server)
  return record !== undefined && isDownState(record.state)
}

export function isDownState(state: ServerState): boolean {
  return state === 'down' || state === 'down-draining'
}

/** Whether an operator has it emptied, be it up or down. */
export function isDraining(configuration: Configuration, server: PeerId): boolean {
  const record = configuration.servers.get(server)
  return record !== undefined && isDrainingState(record.state)
}

export function isDrainingState(state: ServerState): boolean {
  return state === 'draining' || state === 'down-draining'
}

/** Connected with the start that is on record, whatever the managers decided about it. */
export function isConnected({ configuration, connected }: Observed, server: PeerId): boolean {
  const incarnation = connected.get(server)
  const recorded = configuration.servers.get(server)?.incarnation
  return incarnation !== undefined && incarnation === recorded
}

/** One that has not registered its present start, or not since it was down, does not count. */
export function isHere(observed: Observed, server: PeerId): boolean {
  return isConnected(observed, server) && !isDown(observed.configuration, server)
}

/** All servers that are here, with the start on record: to look at many shards. */
export function serversHere(observed: Observed): Connected {
  const here = new Map<PeerId, Incarnation>()
  for (const { id, incarnation } of observed.configuration.servers.values()) {
    if (isHere(observed, id)) here.set(id, incarnation)
  }
  return here
}

/** Every replica is in-sync, has kept its memory, and its server is here. */
export function allServe(
  { replicas }: Pick<ShardAllocation, 'replicas'>,
  here: Connected,
): boolean {
  for (const { server, state, incarnation } of replicas) {
    if (state !== 'in-sync' || here.get(server) !== incarnation) return false
  }
  return true
}
