// Clones in the configuration: begun from a snapshot, kept from losing it, flattened. And what an
// operator sets of a volume.
import test from 'tape'
import { volumeId } from '../../../src/base/brands.js'
import type { Change } from '../../../src/layout/change.js'
import type { VolumeRecord } from '../../../src/layout/configuration.js'
import { clusterWithVolume, must, refusal, serverId, VOLUME, withSnapshot } from '../clusters.js'

const CLONE = volumeId(VOLUME + 1)

const clone = (snapshot: string, name = 'c', volume = VOLUME): Change => {
  return { kind: 'volume-cloned', volume, snapshot, name }
}
const flatten = (volume: typeof VOLUME): Change => ({ kind: 'volume-flattened', volume })
const layersOf = (volume: VolumeRecord): unknown =>
  volume.layers.map(({ id, parent }) => [id, parent])

const twice = withSnapshot(withSnapshot(clusterWithVolume(), VOLUME, 'a'), VOLUME, 'b')

test('a clone begins as what the snapshot shows, where the origin is', t => {
  const after = must(twice, clone('a'))
  const parent = after.volumes.get(VOLUME)!
  const volume = after.volumes.get(CLONE)!
  t.equal(parent, twice.volumes.get(VOLUME), 'nothing of the origin has changed')
  t.deepEqual(layersOf(volume), [
    [1, 0],
    [2, 1],
  ])
  t.deepEqual(volume.origin, { volume: VOLUME, snapshot: 'a', layer: 1 })
  t.deepEqual([volume.size, volume.replicas, volume.minInSync], [parent.size, 3, 2])
  t.deepEqual([volume.snapshots, volume.attachments, volume.schedules], [[], [], []])
  t.deepEqual(
    volume.shards.map(({ replicas }) => replicas),
    parent.shards.map(({ replicas }) => replicas),
  )
  t.ok(volume.shards.every(({ epoch }) => epoch === after.epoch))
  t.equal(after.nextVolume, CLONE + 1)
  t.end()
})

test('what is not in-sync with the origin is not with the clone, and an old copy is none', t => {
  const down: Change = {
    ...{ kind: 'server-down', server: serverId(1), reason: '' },
    ...{ incarnation: twice.servers.get(serverId(1))!.incarnation },
    live: [...twice.servers.keys()].filter(id => id !== serverId(1)),
  }
  const parted = must(twice, down)
  const { shards } = must(parted, clone('b')).volumes.get(CLONE)!
  t.ok(shards.every(({ replicas }) => replicas.every(({ server }) => server !== serverId(1))))
  t.ok(shards.every(({ stale }) => stale.length === 0))
  t.end()
})

test('the snapshot stays while a clone needs it', t => {
  const after = must(twice, clone('a'))
  const deletion = (name: string): Change => ({ kind: 'snapshot-deleted', volume: VOLUME, name })
  t.equal(refusal(after, deletion('a')), 'in-use')
  t.ok(must(after, deletion('b')), 'another one may go')
  t.ok(must(must(after, { kind: 'volume-deleted', volume: CLONE }), deletion('a')))
  const flat = must(after, flatten(CLONE))
  t.equal(flat.volumes.get(CLONE)!.origin, null)
  t.deepEqual(flat.volumes.get(CLONE)!.layers, [
    { id: 2, parent: 0, covers: [{ first: 1, last: 2 }] },
  ])
  t.ok(must(flat, deletion('a')))
  t.equal(refusal(flat, flatten(CLONE)), 'no-change')
  t.equal(refusal(flat, flatten(VOLUME)), 'no-change', 'what is no clone')
  t.end()
})

test('a clone has snapshots, rollbacks and clones of its own', t => {
  const of = must(twice, clone('b'))
  const snapped = withSnapshot(of, CLONE, 'x')
  const back = must(snapped, { kind: 'volume-rolled-back', volume: CLONE, name: 'x' })
  t.deepEqual(layersOf(back.volumes.get(CLONE)!), [
    [1, 0],
    [2, 1],
    [3, 2],
    [5, 3],
  ])
  const without = must(back, { kind: 'snapshot-deleted', volume: CLONE, name: 'x' })
  t.deepEqual(
    layersOf(without.volumes.get(CLONE)!),
    [
      [1, 0],
      [2, 1],
      [5, 2],
    ],
    'what it began with is not merged',
  )
  const second = must(back, clone('x', 'd', CLONE))
  t.deepEqual(second.volumes.get(volumeId(CLONE + 1))!.origin, {
    ...{ volume: CLONE, snapshot: 'x', layer: 3 },
  })
  t.ok(must(second, flatten(CLONE)), 'also with a clone above it')
  t.end()
})

test('names of clones', t => {
  t.equal(refusal(twice, clone('a', 'data')), 'name-taken')
  t.equal(refusal(twice, clone('a', 'a b')), 'bad-name')
  t.equal(refusal(twice, clone('x')), 'no-such-snapshot')
  t.equal(refusal(twice, clone('a', 'c', volumeId(9))), 'no-such-volume')
  t.equal(refusal(twice, flatten(volumeId(9))), 'no-such-volume')
  const sealed = must(must(twice, clone('a')), {
    ...{ kind: 'volumes-sealed', snapshots: [{ volume: CLONE, name: 's' }] },
  })
  t.equal(refusal(sealed, flatten(CLONE)), 'sealed')
  t.end()
})

test('what is set of a volume', t => {
  const set = (fields: object): Change => {
    return { kind: 'volume-set', volume: VOLUME, minInSync: null, schedules: null, ...fields }
  }
  const schedules = [{ period: 'hourly', keep: 24 } as const, { period: 'daily', keep: 7 } as const]
  const after = must(must(twice, set({ schedules })), set({ minInSync: 1 }))
  const volume = after.volumes.get(VOLUME)!
  t.deepEqual([volume.minInSync, volume.schedules], [1, schedules])
  t.equal(volume.shards, twice.volumes.get(VOLUME)!.shards, 'nothing moves')
  t.deepEqual(must(after, set({ schedules: [] })).volumes.get(VOLUME)!.schedules, [])
  t.equal(refusal(after, set({ minInSync: 1 })), 'no-change')
  t.equal(refusal(after, set({})), 'no-change')
  t.equal(refusal(after, set({ minInSync: 4 })), 'bad-min-in-sync')
  t.equal(refusal(after, set({ volume: volumeId(9) })), 'no-such-volume')
  const bad = [
    [{ period: 'hourly', keep: 0 }],
    [{ period: 'hourly', keep: 801 }],
    [...schedules, { period: 'daily', keep: 1 }],
  ]
  for (const schedules of bad) t.equal(refusal(after, set({ schedules })), 'bad-schedule')
  t.end()
})
