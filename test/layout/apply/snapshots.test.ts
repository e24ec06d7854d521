// Snapshots in the configuration: sealed, made, lifted, deleted, rolled back to; and what refuses.
import test from 'tape'
import { epoch, type Epoch } from '../../../src/base/brands.js'
import type { Change, ChangeOf } from '../../../src/layout/change.js'
import type { Configuration, VolumeRecord } from '../../../src/layout/configuration.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import { clusterWithVolume, must, refusal, VOLUME } from '../clusters.js'

const AT = '2026-01-01T00:00:00.000Z'
const before = clusterWithVolume()

const volumeOf = (configuration: Configuration): VolumeRecord => configuration.volumes.get(VOLUME)!
const seal = (name: string): Change => {
  return { kind: 'volumes-sealed', snapshots: [{ volume: VOLUME, name }] }
}
const deletion = (name: string): Change => ({ kind: 'snapshot-deleted', volume: VOLUME, name })
const rollback = (name: string): Change => ({ kind: 'volume-rolled-back', volume: VOLUME, name })

function creation(
  sealed: Configuration,
  name: string,
  fields: Partial<ChangeOf<'snapshots-created'>> = {},
): Change {
  const shards = volumeOf(sealed).shards.map(shard => shard.epoch)
  const snapshots = [{ volume: VOLUME, name, shards, source: null }]
  return { kind: 'snapshots-created', sealed: sealed.epoch, at: AT, snapshots, ...fields }
}

function made(from: Configuration, name: string): Configuration {
  const sealed = must(from, seal(name))
  return must(sealed, creation(sealed, name))
}

test('a snapshot is sealed, then made', t => {
  const sealed = must(before, seal('s'))
  t.deepEqual(volumeOf(sealed).seal, { epoch: sealed.epoch, name: 's' })
  t.equal(volumeOf(sealed).shards, volumeOf(before).shards, 'no allocation has changed yet')
  const after = must(sealed, creation(sealed, 's'))
  const volume = volumeOf(after)
  t.equal(volume.seal, null)
  const { size } = volume
  const snapshot = { name: 's', layer: 1, at: AT, epoch: after.epoch, size, source: null }
  t.deepEqual(volume.snapshots, [snapshot])
  t.deepEqual(
    volume.layers.map(({ id, parent }) => [id, parent]),
    [
      [1, 0],
      [2, 1],
    ],
  )
  t.ok(
    volume.shards.every(shard => shard.epoch === after.epoch),
    'all shards have a new allocation',
  )
  t.end()
})

test('what was not ready for this very seal makes no snapshot', t => {
  const sealed = must(before, seal('s'))
  const shards = volumeOf(sealed).shards.map((shard, i): Epoch => {
    return i === 0 ? epoch(shard.epoch - 1) : shard.epoch
  })
  const older = { snapshots: [{ volume: VOLUME, name: 's', shards, source: null }] }
  t.equal(refusal(sealed, creation(sealed, 's', older)), 'outdated', 'of another allocation')
  t.equal(refusal(before, creation(before, 's')), 'outdated', 'not sealed')
  t.equal(refusal(sealed, creation(sealed, 'other')), 'outdated', 'sealed for another one')
  const since = { sealed: epoch(sealed.epoch - 1) }
  t.equal(refusal(sealed, creation(sealed, 's', since)), 'outdated', 'another seal')
  t.equal(refusal(sealed, creation(sealed, 's', { at: 'today' })), 'bad-name')
  t.end()
})

test('a seal is lifted, and is one at a time', t => {
  const sealed = must(before, seal('s'))
  t.equal(refusal(sealed, seal('r')), 'sealed')
  const lift: Change = { kind: 'seals-lifted', volumes: [VOLUME], reason: 'x' }
  const lifted = must(sealed, lift)
  t.deepEqual(volumeOf(lifted), volumeOf(before), 'and all is as before')
  t.equal(refusal(lifted, lift), 'no-change')
  t.equal(refusal(lifted, creation(sealed, 's')), 'outdated')
  t.end()
})

test('names', t => {
  const once = made(before, 's')
  t.equal(refusal(once, seal('s')), 'name-taken')
  t.equal(refusal(once, seal('a b')), 'bad-name')
  t.equal(refusal(once, deletion('r')), 'no-such-snapshot')
  t.equal(refusal(once, rollback('r')), 'no-such-snapshot')
  const twice = { kind: 'volumes-sealed', snapshots: [] } as const
  t.equal(refusal(once, twice), 'bad-name', 'of no volume at all')
  t.end()
})

test('a deleted snapshot leaves its layer to its child', t => {
  const after = must(made(made(before, 'a'), 'b'), deletion('a'))
  t.deepEqual(
    volumeOf(after).layers.map(({ id, parent, covers }) => ({ id, parent, covers })),
    [
      { id: 2, parent: 0, covers: [{ first: 1, last: 2 }] },
      { id: 3, parent: 2, covers: [{ first: 3, last: 3 }] },
    ],
  )
  t.ok(volumeOf(after).shards.every(shard => shard.epoch === after.epoch))
  t.end()
})

test('a rollback needs a volume that nobody may write to', t => {
  const twice = made(made(before, 'a'), 'b')
  const attach: Change = {
    ...{ kind: 'volume-attached', volume: VOLUME, client: testPeer(0xa1), host: 'h' },
    ...{ mode: 'exclusive', since: AT, takeover: false },
  }
  t.equal(refusal(must(twice, attach), rollback('a')), 'in-use')
  t.equal(refusal(must(twice, seal('c')), rollback('a')), 'sealed')
  const after = must(twice, rollback('a'))
  t.deepEqual(
    volumeOf(after).layers.map(({ id, parent }) => [id, parent]),
    [
      [1, 0],
      [2, 1],
      [4, 1],
    ],
    'a new head on that snapshot; the later one stays',
  )
  t.equal(volumeOf(after).snapshots.length, 2)
  t.end()
})

test('a volume with snapshots is not deleted', t => {
  const once = made(before, 's')
  const change: Change = { kind: 'volume-deleted', volume: VOLUME }
  t.equal(refusal(once, change), 'in-use')
  t.ok(must(must(once, deletion('s')), change))
  t.end()
})
