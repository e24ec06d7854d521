// Volumes grow in the configuration: every block stays where it is, nobody is fenced, snapshots and
// clones keep the size of their time; and what refuses.
import test from 'tape'
import { byteCount, volumeId, type VolumeId } from '../../../src/base/brands.js'
import { BLOCK_BYTES, VOLUME_BYTES_MAX } from '../../../src/base/limits.js'
import type { Change } from '../../../src/layout/change.js'
import type { Configuration, VolumeRecord } from '../../../src/layout/configuration.js'
import { difference, patch } from '../../../src/layout/delta.js'
import { shardsTaken, touchedServers } from '../../../src/layout/effects-of-change.js'
import { checkConfiguration } from '../../../src/layout/invariants.js'
import { apply } from '../../../src/layout/apply.js'
import {
  cluster,
  clusterWithVolume,
  GiB,
  MiB,
  must,
  refusal,
  server,
  VOLUME,
  withSnapshot,
} from '../clusters.js'

const resize = (size: number, volume: VolumeId = VOLUME): Change => {
  return { kind: 'volume-resized', volume, size: byteCount(size) }
}
const volumeOf = (configuration: Configuration, id = VOLUME): VolumeRecord =>
  configuration.volumes.get(id)!

const before = clusterWithVolume()

test('a volume grows, and nothing else changes', t => {
  const after = must(before, resize(3 * GiB + BLOCK_BYTES))
  const { size, ...rest } = volumeOf(after)
  const { size: old, ...others } = volumeOf(before)
  t.deepEqual([old, size], [GiB, 3 * GiB + BLOCK_BYTES])
  t.deepEqual(rest, others)
  t.equal(volumeOf(after).shards, volumeOf(before).shards, 'no allocation is another one')
  t.equal(shardsTaken(before, after).size, 0, 'nobody has to stop')
  t.equal(after.epoch, before.epoch + 1)
  t.deepEqual(patch(before, difference(before, after)), after, 'peers learn of it')
  t.end()
})

test('who has copies of it is asked, and nobody else', t => {
  const wider = must(before, { kind: 'server-registered', server: server(4) })
  const after = must(wider, resize(2 * GiB))
  const names = touchedServers(wider, after).map(id => wider.servers.get(id)!.name)
  t.deepEqual(names.sort(), ['s1', 's2', 's3'])
  t.end()
})

test('sizes that are refused', t => {
  t.equal(refusal(before, resize(GiB)), 'no-change')
  t.equal(refusal(before, resize(GiB - BLOCK_BYTES)), 'smaller')
  t.equal(refusal(before, resize(BLOCK_BYTES)), 'smaller')
  for (const size of [0, GiB + 1, GiB + 512, VOLUME_BYTES_MAX + BLOCK_BYTES]) {
    t.equal(refusal(before, resize(size)), 'bad-size', String(size))
  }
  t.equal(refusal(before, resize(VOLUME_BYTES_MAX)), null)
  t.equal(refusal(before, resize(2 * GiB, volumeId(9))), 'no-such-volume')
  t.equal(refusal(cluster(3), resize(2 * GiB)), 'no-such-volume')
  const smaller = apply(before, resize(BLOCK_BYTES))
  if (smaller.kind === 'refused') t.match(smaller.reason, /copy what you need into a new volume/)
  t.end()
})

test('a snapshot keeps the size of its time, a clone begins with it, a rollback does not', t => {
  const small = withSnapshot(before, VOLUME, 'small')
  const large = withSnapshot(must(small, resize(2 * GiB)), VOLUME, 'large')
  const sizes = (configuration: Configuration): unknown =>
    volumeOf(configuration).snapshots.map(({ name, size }) => [name, size])
  t.deepEqual(sizes(large), [
    ['small', GiB],
    ['large', 2 * GiB],
  ])
  const cloned = must(large, {
    ...{ kind: 'volume-cloned', volume: VOLUME, snapshot: 'small', name: 'c' },
  })
  const clone = volumeId(VOLUME + 1)
  t.equal(volumeOf(cloned, clone).size, GiB)
  const grown = must(cloned, resize(GiB + MiB, clone))
  t.deepEqual([volumeOf(grown).size, volumeOf(grown, clone).size], [2 * GiB, GiB + MiB])
  const back = must(large, { kind: 'volume-rolled-back', volume: VOLUME, name: 'small' })
  t.equal(volumeOf(back).size, 2 * GiB, 'a rollback takes nobody by surprise')
  t.deepEqual(sizes(back), sizes(large))
  t.end()
})

test('while it is attached, while a snapshot is made', t => {
  const sealing: Change = { kind: 'volumes-sealed', snapshots: [{ volume: VOLUME, name: 's' }] }
  const sealed = must(before, sealing)
  const grown = must(sealed, resize(2 * GiB))
  t.deepEqual(volumeOf(grown).seal, volumeOf(sealed).seal, 'its seal stays')
  const shards = volumeOf(sealed).shards.map(({ epoch }) => epoch)
  const made = must(grown, {
    ...{ kind: 'snapshots-created', sealed: sealed.epoch, at: '2026-01-01T00:00:00.000Z' },
    snapshots: [{ volume: VOLUME, name: 's', shards, source: null }],
  })
  t.equal(volumeOf(made).snapshots[0]!.size, 2 * GiB, 'what was ready before is ready')
  t.end()
})

test('what no configuration may say', t => {
  const small = withSnapshot(before, VOLUME, 's')
  const of = (fields: Partial<VolumeRecord>, from = small): Configuration => {
    const volume = { ...volumeOf(from), ...fields }
    return { ...from, volumes: new Map([[VOLUME, volume]]) }
  }
  const next = must(before, resize(2 * GiB))
  const shrunk = of({ size: byteCount(GiB - MiB) }, next)
  t.throws(() => checkConfiguration(shrunk, before), /never becomes smaller/)
  const [snapshot] = volumeOf(small).snapshots
  const larger = of({ snapshots: [{ ...snapshot!, size: byteCount(2 * GiB) }] })
  t.throws(() => checkConfiguration(larger), /a snapshot is no larger/)
  t.end()
})
