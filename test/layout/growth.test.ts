// What must not grow with a cluster, without a clock: what a change leaves alone stays the same
// object, planners that remember say the same as those that look at everything, and what there may
// be at most is refused in a sentence.
import test from 'tape'
import { byteCount, epoch, volumeId, type PeerId } from '../../src/base/brands.js'
import {
  ATTACHMENTS_IN_CLUSTER_MAX,
  ATTACHMENTS_MAX,
  COPIES_IN_CLUSTER_MAX,
  SNAPSHOTS_IN_CLUSTER_MAX,
  SNAPSHOTS_MAX,
  VOLUMES_MAX,
} from '../../src/base/limits.js'
import { apply } from '../../src/layout/apply.js'
import type { Change } from '../../src/layout/change.js'
import type { Configuration, VolumeRecord } from '../../src/layout/configuration.js'
import { difference, patch } from '../../src/layout/delta.js'
import { touchedServers } from '../../src/layout/effects-of-change.js'
import { heldBy, heldByEach } from '../../src/layout/movement/newcomers.js'
import { isRefusal, type Refusal } from '../../src/layout/outcome.js'
import { LoadLedger, loadsOf } from '../../src/layout/placement/load-ledger.js'
import { planVolume } from '../../src/layout/placement/planner.js'
import { roomProblem } from '../../src/layout/apply/room.js'
import { testPeer } from '../helpers/scripted-peers.js'
import { downOf, GiB, MiB, must, serverId } from './clusters.js'
import { largeCluster } from './large-clusters.js'
import { RandomCluster } from './random-cluster.js'

const SINCE = '2026-01-01T00:00:00.000Z'

function attached(volume: number, client = testPeer(7)): Change {
  return {
    ...{ kind: 'volume-attached', volume: volumeId(volume), client, host: 'h' },
    ...{ mode: 'shared', since: SINCE, takeover: false },
  }
}

/** Volumes whose records are other objects in two configurations. */
function others(before: Configuration, after: Configuration): readonly number[] {
  return [...after.volumes.values()]
    .filter(one => before.volumes.get(one.id) !== one)
    .map(v => v.id)
}

const holds = ({ shards }: VolumeRecord, server: PeerId): boolean =>
  shards.some(({ replicas }) => replicas.some(replica => replica.server === server))

test('a change leaves the volumes alone that it does not touch', t => {
  const before = largeCluster({ servers: 300, volumes: 50 })
  const opened = must(before, attached(20))
  t.deepEqual(others(before, opened), [20], 'a client opens one')
  t.equal(opened.servers, before.servers)
  t.equal(
    opened.volumes.get(volumeId(20))!.shards,
    before.volumes.get(volumeId(20))!.shards,
    'and takes nothing from anybody',
  )
  const lost = serverId(30)
  const live = [...before.servers.keys()].filter(id => id !== lost)
  const without = must(before, downOf(before, lost, ...live))
  const there = [...before.volumes.values()].filter(volume => holds(volume, lost)).map(v => v.id)
  t.ok(there.length > 0 && there.length < 50, `${there.length} volumes are on a server`)
  t.deepEqual(others(before, without), there, 'and those change when it is down')
  const patched = patch(before, difference(before, without))!
  t.deepEqual(others(before, patched), there, 'at whoever is told of it as well')
  t.equal(patched.volumes.get(volumeId(there[0]!))!.layers, before.volumes.get(volumeId(1))!.layers)
  t.end()
})

test('whom a change concerns does not depend on what else there is', t => {
  const change = attached(1)
  for (const volumes of [1, 200]) {
    const before = largeCluster({ servers: 50, volumes })
    t.deepEqual(touchedServers(before, must(before, change)), [], `${volumes} volumes`)
    const delta = difference(before, must(before, change))
    t.equal(delta.volumes.length + delta.shards.length + delta.servers.length, 1)
  }
  t.end()
})

test('a ledger that is kept says what counting everything says', t => {
  for (let seed = 1; seed <= 40; seed++) {
    const one = new RandomCluster(seed)
    const ledger = new LoadLedger()
    for (let step = 0; step < 60; step++) {
      one.step()
      if (one.random.chance(0.3)) continue
      const kept = [...ledger.of(one.configuration)].sort()
      const counted = [...loadsOf(one.configuration)].sort()
      if (JSON.stringify(kept) !== JSON.stringify(counted)) t.fail(`seed ${seed}, step ${step}`)
    }
    const each = heldByEach(one.configuration)
    for (const id of one.configuration.servers.keys()) {
      if (each.get(id) !== heldBy(one.configuration, id)) t.fail(`seed ${seed}: ${id}`)
    }
  }
  t.pass('in 40 random histories')
  t.end()
})

/** As a leader decides about it. */
function decided(configuration: Configuration, change: Change): Refusal | null {
  const outcome = apply(configuration, change)
  return isRefusal(outcome) ? outcome : roomProblem(configuration, outcome.configuration)
}

/** Refused as too many, in one sentence that says what to do. */
function refused(t: test.Test, configuration: Configuration, change: Change): void {
  const problem = decided(configuration, change)
  if (problem === null) return t.fail(`${change.kind} is applied`)
  t.equal(problem.code, 'too-many', problem.reason)
  t.ok(/^[A-Z][^.]*\.$/.test(problem.reason), 'one sentence')
  t.ok(/delete|detach/.test(problem.reason), 'it says what to do')
}

test('one volume more than there may be is refused', t => {
  const full = largeCluster({ servers: 30, volumes: VOLUMES_MAX })
  const wish = { name: 'x', size: GiB, replicas: 3, minInSync: 2 }
  const planned = planVolume(largeCluster({ servers: 30, volumes: 1 }), wish)
  if (planned.kind === 'refused') throw new Error(planned.reason)
  refused(t, full, planned)
  t.equal(planVolume(full, wish).kind, 'refused', 'and not even planned')
  t.end()
})

test('more copies than fit a configuration are refused', t => {
  const size = { servers: 30, replicas: 7, bytes: 64 * 1024 * GiB }
  const most = COPIES_IN_CLUSTER_MAX / (1024 * 8)
  const wish = { name: 'x', size: size.bytes, replicas: 7, minInSync: 4 }
  const planned = planVolume(largeCluster({ ...size, volumes: most - 1 }), wish)
  if (planned.kind === 'refused') throw new Error(planned.reason)
  t.equal(planned.placement.length, 1024, 'the last one there is room for')
  const full = largeCluster({ ...size, volumes: most })
  refused(t, full, planned)
  t.equal(planVolume(full, wish).kind, 'refused', 'and not even planned')
  const smaller = planVolume(full, { ...wish, size: GiB, replicas: 1, minInSync: 1 })
  t.equal(smaller.kind, 'refused', 'there is room for nothing')
  t.end()
})

/** The first volumes of a cluster with other fields. */
function filled(
  configuration: Configuration,
  fields: (n: number) => Partial<VolumeRecord>,
): Configuration {
  const volumes = [...configuration.volumes].map(([id, volume]) => {
    return [id, { ...volume, ...fields(id) }] as const
  })
  return { ...configuration, volumes: new Map(volumes) }
}

test('more snapshots than fit a configuration are refused', t => {
  const each = SNAPSHOTS_MAX
  const count = Math.ceil(SNAPSHOTS_IN_CLUSTER_MAX / each)
  const of = (n: number): number => Math.min(each, SNAPSHOTS_IN_CLUSTER_MAX - (n - 1) * each)
  const full = filled(largeCluster({ servers: 30, volumes: count + 1 }), n => {
    if (n > count) return {}
    const snapshots = Array.from({ length: of(n) }, (_, i) => {
      const size = byteCount(MiB)
      return { name: `s${i}`, layer: i + 1, at: SINCE, epoch: epoch(9), size, source: null }
    })
    return { snapshots }
  })
  const snapshots = [{ volume: volumeId(count + 1), name: 'one' }]
  refused(t, full, { kind: 'volumes-sealed', snapshots })
  t.end()
})

test('more attachments than fit a configuration are refused', t => {
  const count = ATTACHMENTS_IN_CLUSTER_MAX / ATTACHMENTS_MAX
  const attachments = Array.from({ length: ATTACHMENTS_MAX }, (_, i) => {
    return { client: testPeer(100 + i), host: 'h', mode: 'shared', since: SINCE } as const
  })
  const empty = largeCluster({ servers: 30, volumes: count + 1 })
  const full = filled(empty, n => (n > count ? {} : { attachments }))
  refused(t, full, attached(count + 1))
  const room = filled(empty, n => (n >= count ? {} : { attachments }))
  t.equal(decided(room, attached(count + 1)), null, 'there is room for others')
  const detached: Change = {
    ...{ kind: 'volume-detached', volume: volumeId(1) },
    client: testPeer(100),
  }
  const over = filled(empty, () => ({ attachments }))
  t.equal(decided(over, detached), null, 'whoever has too many may have fewer')
  t.equal(apply(full, attached(count + 1)).kind, 'applied', 'and what was committed is repeated')
  t.end()
})
