import test from 'tape'
import { clusterId, epoch, shardIndex, type PeerId } from '../../src/base/brands.js'
import { apply } from '../../src/layout/apply.js'
import type { Change } from '../../src/layout/change.js'
import type { Configuration } from '../../src/layout/configuration.js'
import { difference, patch } from '../../src/layout/delta.js'
import { equal } from '../../src/layout/equal.js'
import { checkConfiguration } from '../../src/layout/invariants.js'
import { isRefusal } from '../../src/layout/outcome.js'
import { planReturn, planVolume } from '../../src/layout/placement/planner.js'
import { testPeer } from '../helpers/scripted-peers.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import {
  downOf,
  cluster,
  clusterWithVolume,
  MANAGER,
  must,
  restart,
  server,
  VOLUME,
} from './clusters.js'

/** Some change that may be applied or refused. */
function someChange(configuration: Configuration, random: SeededRandom): Change | null {
  const volumes = [...configuration.volumes.values()]
  const servers = [...configuration.servers.values()]
  switch (random.below(13)) {
    case 11:
      return {
        ...{ kind: 'volume-attached', client: testPeer(7 + random.below(3)), host: 'h' },
        volume: random.pick(volumes).id,
        mode: random.pick(['exclusive', 'shared']),
        ...{ since: '2026-01-01T00:00:00.000Z', takeover: random.chance(0.5) },
      }
    case 12: {
      const { id, attachments } = random.pick(volumes)
      const [held] = attachments
      return held ? { kind: 'volume-detached', volume: id, client: held.client } : null
    }
    case 0:
      return { kind: 'server-registered', server: server(1 + random.below(12)) }
    case 1: {
      const record = random.pick(servers)
      const next = record.incarnation + random.below(2)
      return {
        kind: 'server-registered',
        server: {
          ...record,
          incarnation: next as typeof record.incarnation,
          weight: 1 + random.below(9),
          state: 'up',
        },
      }
    }
    case 2: {
      const replicas = 1 + random.below(3)
      const name = `v${random.below(30)}`
      const change = planVolume(configuration, { name, size: 2 ** 24, replicas, minInSync: 1 })
      return isRefusal(change) ? null : change
    }
    case 3:
      return volumes.length > 3 ? { kind: 'volume-deleted', volume: random.pick(volumes).id } : null
    case 4: {
      const here = servers.filter(({ state }) => state === 'up' && random.chance(0.8))
      return planReturn(configuration, new Map(here.map(record => [record.id, record.incarnation])))
    }
    case 5: {
      const addresses = [{ host: 'm', port: 1 + random.below(9) }]
      return { kind: 'manager-updated', manager: { id: MANAGER, addresses } }
    }
    case 6: {
      const live = servers.filter(({ state }) => state === 'up' && random.chance(0.7))
      return downOf(configuration, random.pick(servers).id, ...live.map(({ id }) => id))
    }
    case 7:
      return servers.length > 4 ? { kind: 'server-removed', server: random.pick(servers).id } : null
    case 8: {
      const id = testPeer(1 + random.below(9))
      return { kind: 'manager-added', manager: { id, addresses: [] } }
    }
    case 9:
      return { kind: 'manager-removed', manager: testPeer(1 + random.below(9)) }
    default: {
      const replicas = volumes.flatMap(volume =>
        volume.shards.flatMap(({ replicas, epoch: expected }, i) =>
          replicas
            .filter(replica => replica.state === 'syncing' && random.chance(0.3))
            .map(replica => ({
              ...{ volume: volume.id, shard: shardIndex(i), expected },
              server: replica.server,
            })),
        ),
      )
      return { kind: 'replicas-caught-up', replicas }
    }
  }
}

test('patching with the difference gives what apply gave, over one epoch and over many', t => {
  const kinds = new Map<string, number>()
  for (let seed = 1; seed <= 6; seed++) {
    const random = new SeededRandom(seed)
    const history = [clusterWithVolume()]
    while (history.length < 120) {
      const before = history.at(-1)!
      const change = someChange(before, random)
      const outcome = change === null ? null : apply(before, change)
      if (change === null || outcome?.kind !== 'applied') continue
      const after = outcome.configuration
      checkConfiguration(after)
      kinds.set(change.kind, (kinds.get(change.kind) ?? 0) + 1)
      history.push(after)
      const earlier = history[random.below(history.length)]!
      for (const from of [before, earlier]) {
        const patched = patch(from, structuredClone(difference(from, after)))
        if (!equal(patched, after)) t.fail(`seed ${seed}, epoch ${from.epoch} to ${after.epoch}`)
        checkConfiguration(patched!)
      }
    }
  }
  t.equal(kinds.size, 12, `all kinds of change: ${JSON.stringify([...kinds])}`)
  t.end()
})

test('a delta says what changed and nothing else', t => {
  const before = clusterWithVolume()
  const id: PeerId = server(2).id
  const after = restart(before, id)
  t.deepEqual(difference(before, after), {
    cluster: before.cluster,
    from: before.epoch,
    to: after.epoch,
    managers: null,
    servers: [after.servers.get(id)],
    removedServers: [],
    volumes: [],
    removedVolumes: [],
    shards: [],
    nextVolume: 2,
    deletedVolumes: [],
  })
  const connected = new Map([...after.servers].map(([key, { incarnation }]) => [key, incarnation]))
  const back = must(after, planReturn(after, connected)!)
  const delta = difference(after, back)
  t.equal(delta.volumes.length, 0)
  t.equal(delta.shards.length, 9)
  t.equal(patch(after, delta)?.servers, after.servers, 'what did not change is shared')
  t.end()
})

test('a server that was removed and joined again in between is as it joined', t => {
  const before = clusterWithVolume()
  const record = server(2)
  const gone = must(before, { kind: 'server-removed', server: record.id })
  const after = must(gone, { kind: 'server-registered', server: { ...record, weight: 7 } })
  t.deepEqual(difference(before, gone).removedServers, [record.id])
  const delta = difference(before, after)
  t.deepEqual(delta.removedServers, [])
  t.deepEqual(delta.servers, [after.servers.get(record.id)])
  t.ok(equal(patch(before, delta), after))
  t.end()
})

test('a volume made and deleted in between is remembered', t => {
  const before = cluster(3)
  const made = planVolume(before, { name: 'x', size: 4096, replicas: 1, minInSync: 1 })
  if (isRefusal(made)) return t.end(made.reason)
  const after = must(must(before, made), { kind: 'volume-deleted', volume: VOLUME })
  const delta = difference(before, after)
  t.deepEqual(delta.removedVolumes, [])
  t.deepEqual(delta.deletedVolumes, [VOLUME])
  t.ok(equal(patch(before, delta), after))
  t.end()
})

test('a delta of another configuration does not patch', t => {
  const before = clusterWithVolume()
  const after = restart(before, server(1).id)
  const delta = difference(before, after)
  t.equal(patch(after, delta), null, 'another epoch')
  t.equal(patch({ ...before, cluster: clusterId('d'.repeat(32)) }, delta), null, 'another cluster')
  const [shard] = before.volumes.get(VOLUME)!.shards
  const stray = { volume: VOLUME, shard: shardIndex(99), allocation: shard! }
  t.equal(patch(before, { ...delta, shards: [stray] }), null, 'a shard that does not exist')
  t.throws(() => difference(after, before), /forward/)
  t.throws(() => difference({ ...before, epoch: epoch(99) }, after), /forward/)
  t.end()
})
