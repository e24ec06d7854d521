// What holds in every configuration, as assertions: `apply` checks its own result with them, and
// tests check whatever they make. Refusing what a person or a peer asks for is not done here but
// in apply*.ts; what arrives here broken is a bug.
import { assert } from '../base/assert.js'
import type { PeerId } from '../base/brands.js'
import {
  ALLOCATION_REPLICAS_MAX,
  ALLOCATION_SERVERS_MAX,
  ATTACHMENTS_MAX,
  DELETED_VOLUMES_REMEMBERED,
  MANAGERS_MAX,
  SERVERS_MAX,
  SHARDS_MAX,
  SHARDS_MIN,
  SNAPSHOTS_MAX,
  VOLUMES_MAX,
} from '../base/limits.js'
import type { Configuration, ShardAllocation, VolumeRecord } from './configuration.js'
import { headOf, layerOf, layersProblem } from './layers.js'
import {
  minInSyncProblem,
  nameProblem,
  replicasProblem,
  schedulesProblem,
  sizeProblem,
} from './names.js'
import { inSyncFirst, isDown, isDownState } from './replicas.js'

/** Asserts a configuration; parts shared with `before`, which was checked, are not looked at. */
export function checkConfiguration(
  configuration: Configuration,
  before: Configuration | null = null,
): void {
  assert(configuration.epoch >= 1, 'epochs start at 1')
  const managers = new Set(configuration.managers.map(manager => manager.id))
  assert(managers.size === configuration.managers.length, 'managers are distinct')
  assert(managers.size >= 1 && managers.size <= MANAGERS_MAX, 'a cluster has 1 to 5 managers')
  if (configuration.servers !== before?.servers) checkServers(configuration)
  checkVolumes(configuration, before)
  if (before !== null) checkStep(configuration, before)
}

function checkServers({ servers }: Configuration): void {
  assert(servers.size <= SERVERS_MAX, 'servers are bounded')
  const names = new Set<string>()
  for (const [id, server] of servers) {
    assert(id === server.id, 'servers are found by their identity')
    assert(nameProblem('server name', server.name) === null, `server name: ${server.name}`)
    assert(!names.has(server.name), `one server for each name: ${server.name}`)
    assert(Number.isSafeInteger(server.weight) && server.weight >= 1, 'a weight is at least 1')
    names.add(server.name)
  }
}

function checkVolumes(configuration: Configuration, before: Configuration | null): void {
  const { volumes, deletedVolumes, nextVolume } = configuration
  if (volumes === before?.volumes) return
  assert(volumes.size <= VOLUMES_MAX, 'volumes are bounded')
  assert(deletedVolumes.length <= DELETED_VOLUMES_REMEMBERED, 'deleted volumes are bounded')
  let named = false
  for (const [id, volume] of volumes) {
    const known = before?.volumes.get(id)
    if (volume === known) continue
    assert(id === volume.id && id >= 1 && id < nextVolume, 'volumes are found by their number')
    if (volume.name !== known?.name) named = true
    checkVolume(configuration, volume, before)
  }
  if (named) checkNames(volumes)
  assert(!deletedVolumes.some(id => volumes.has(id)), 'deleted volumes do not come back')
}

function checkNames(volumes: Configuration['volumes']): void {
  const names = new Set<string>()
  for (const { name } of volumes.values()) {
    assert(!names.has(name), `one volume for each name: ${name}`)
    names.add(name)
  }
}

function checkVolume(
  configuration: Configuration,
  volume: VolumeRecord,
  before: Configuration | null,
): void {
  const { name, size, replicas, minInSync, shards, layers } = volume
  assert(nameProblem('volume name', name) === null, `volume name: ${name}`)
  assert(sizeProblem(size) === null, `size of ${name}: ${size}`)
  assert(replicasProblem(replicas) === null, `replicas of ${name}: ${replicas}`)
  assert(minInSyncProblem(minInSync, replicas) === null, `minInSync of ${name}: ${minInSync}`)
  assert(volume.created <= configuration.epoch, 'a volume is not newer than its configuration')
  assert(shards.length >= SHARDS_MIN && shards.length <= SHARDS_MAX, 'a volume has 8..1024 shards')
  const problem = layersProblem(layers)
  assert(problem === null, problem ?? '')
  assert(schedulesProblem(volume.schedules) === null, `schedules of ${name}`)
  checkSnapshots(volume, before?.volumes.get(volume.id))
  checkOrigin(configuration, volume)
  checkAttachments(volume, before?.volumes.get(volume.id))
  const known = before?.volumes.get(volume.id)?.shards
  shards.forEach((shard, i) => {
    if (shard === known?.[i]) return
    assert(shard.epoch >= volume.created, 'a shard is not older than its volume')
    checkShard(configuration, shard)
  })
}

function checkSnapshots(volume: VolumeRecord, known: VolumeRecord | undefined): void {
  const { snapshots, layers, shards } = volume
  const head = headOf(layers).id
  assert(snapshots.length <= SNAPSHOTS_MAX, 'the snapshots of a volume are bounded')
  assert(unique(snapshots.map(({ name }) => name)), 'a snapshot has a name of its own')
  assert(unique(snapshots.map(({ layer }) => layer)), 'a snapshot has a layer of its own')
  for (const { layer, size } of snapshots) {
    assert(layerOf(layers, layer).id !== head, 'it is frozen')
    assert(sizeProblem(size) === null && size <= volume.size, 'a snapshot is no larger')
  }
  if (known === undefined || known.layers === layers) return
  const fenced = shards.every((shard, i) => shard.epoch > (known.shards[i]?.epoch ?? 0))
  assert(fenced, 'other layers come with new allocations')
}

function checkOrigin({ volumes }: Configuration, { id, origin, layers }: VolumeRecord): void {
  if (origin === null) return
  assert(
    layers.some(layer => layer.id === origin.layer),
    'a clone keeps what it began with',
  )
  const snapshot = volumes.get(origin.volume)?.snapshots.find(one => one.name === origin.snapshot)
  assert(origin.volume < id && snapshot?.layer === origin.layer, 'the origin of a clone stays')
}

function unique(values: readonly unknown[]): boolean {
  return new Set(values).size === values.length
}

function checkAttachments(volume: VolumeRecord, known: VolumeRecord | undefined): void {
  const { attachments, shards } = volume
  const clients = new Set(attachments.map(({ client }) => client))
  assert(clients.size === attachments.length, 'a client is attached to a volume once')
  assert(attachments.length <= ATTACHMENTS_MAX, 'the clients of a volume are bounded')
  const alone = attachments.length <= 1 || attachments.every(({ mode }) => mode === 'shared')
  assert(alone, 'one client, or all of them share')
  if (known === undefined || known.attachments === attachments) return
  const withdrawn = known.attachments.some(({ client }) => !clients.has(client))
  const fenced = shards.every((shard, i) => shard.epoch > (known.shards[i]?.epoch ?? 0))
  assert(!withdrawn || fenced, 'whoever loses its access is fenced by new allocations')
}

function checkShard(configuration: Configuration, shard: ShardAllocation): void {
  assert(shard.epoch <= configuration.epoch, 'an allocation is not newer than its configuration')
  assert(shard.replicas.length <= ALLOCATION_REPLICAS_MAX, 'the replicas of a shard are bounded')
  assert(shard.replicas[0]?.state === 'in-sync', 'the first replica is the primary, in-sync')
  assert(inSyncFirst(shard), 'in-sync replicas come first')
  const holders = [...shard.replicas.map(replica => replica.server), ...shard.stale]
  assert(new Set(holders).size === holders.length, 'a server holds a shard once')
  assert(holders.length <= ALLOCATION_SERVERS_MAX, 'the holders of a shard are bounded')
  checkHolders(configuration, shard)
}

function checkHolders(configuration: Configuration, { replicas, stale }: ShardAllocation): void {
  for (const replica of replicas) {
    const server = configuration.servers.get(replica.server)
    assert(server !== undefined, 'replicas are on servers of the cluster')
    assert(replica.incarnation <= server.incarnation, 'no replica is of a start yet to come')
    // An in-sync one stays where nobody else has the newest writes: the shard waits for it.
    assert(replica.state === 'in-sync' || !isDownState(server.state), 'nobody syncs who is down')
  }
  for (const server of stale) {
    assert(configuration.servers.has(server), 'stale copies are on servers of the cluster')
  }
}

/** Shards that did not change are looked at again when a server on which they may be did. */
function checkWhereServersWent(after: Configuration, before: Configuration): void {
  const went = new Set<PeerId>()
  for (const id of before.servers.keys()) {
    if (!after.servers.has(id) || (isDown(after, id) && !isDown(before, id))) went.add(id)
  }
  if (went.size === 0) return
  for (const { shards } of after.volumes.values()) {
    for (const shard of shards) if (isOnAny(shard, went)) checkHolders(after, shard)
  }
}

function isOnAny({ replicas, stale }: ShardAllocation, servers: ReadonlySet<PeerId>): boolean {
  for (const { server } of replicas) if (servers.has(server)) return true
  for (const server of stale) if (servers.has(server)) return true
  return false
}

/** What only grows from one configuration to the next. */
function checkStep(after: Configuration, before: Configuration): void {
  assert(after.cluster === before.cluster, 'a cluster stays itself')
  assert(after.epoch === before.epoch + 1, 'every change makes the next epoch')
  assert(after.nextVolume >= before.nextVolume, 'volume numbers are never reused')
  assert(managersDiffering(after, before) <= 1, 'managers come and go one at a time')
  for (const [id, volume] of after.volumes) {
    const known = before.volumes.get(id)
    if (known === undefined || known === volume) continue
    assert(volume.size >= known.size, 'a volume never becomes smaller')
    assert(volume.shards.length === known.shards.length, 'a block stays in its shard')
    volume.shards.forEach((shard, i) => {
      const old = known.shards[i]
      if (old === undefined || old === shard) return
      assert(shard.epoch === after.epoch, 'a changed allocation carries the epoch that changed it')
      assert(shard.generation >= old.generation, 'generations grow')
    })
  }
  if (after.servers === before.servers) return
  checkWhereServersWent(after, before)
  for (const [id, server] of after.servers) {
    const known = before.servers.get(id)
    assert(known === undefined || server.incarnation >= known.incarnation, 'incarnations grow')
  }
}

/** How many come and go: the majorities of both lists must overlap. */
function managersDiffering(after: Configuration, before: Configuration): number {
  const ids = new Set(before.managers.map(({ id }) => id))
  const added = after.managers.filter(({ id }) => !ids.delete(id))
  return added.length + ids.size
}
