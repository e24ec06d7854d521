// A clone's shard shares files with its origin's: what is the same file, who copies it when, and
// how much space is counted.
import test from 'tape'
import { blockIndex, epoch } from '../../../src/base/brands.js'
import { silentLog } from '../../../src/base/log.js'
import { branch, FIRST_LAYER, freeze, prune, type LayerRecord } from '../../../src/layout/layers.js'
import { FileBlockStore } from '../../../src/storage/store/file-block-store.js'
import type { FileShardStore } from '../../../src/storage/store/file-shard-store.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { NO_LATENCY, SimulatedDisk } from '../../simulator/simulated-disk.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'
import { fill } from './block-model.js'
import { lookAt, type Value } from './layer-model.js'

const ORIGIN = { volume: 1, shard: 0 }
const CLONE = { volume: 2, shard: 0 }
const ONE = [FIRST_LAYER]
const TWO = freeze(ONE)
const THREE = freeze(TWO)
const at = blockIndex

/** A clone of what layer 2 shows. */
const CLONED = branch(THREE, 2)
const FROM = { volume: 1, layers: CLONED.slice(0, -1) }

interface Pair {
  readonly disk: SimulatedDisk
  readonly store: FileBlockStore
  readonly origin: FileShardStore
  readonly clone: FileShardStore
}

function newDisk(): SimulatedDisk {
  const random = new SeededRandom(1)
  return new SimulatedDisk({ clock: new VirtualClock(), random, latency: NO_LATENCY })
}

function open(disk: SimulatedDisk): Promise<FileBlockStore> {
  return FileBlockStore.open({ clock: new VirtualClock(), disk, log: silentLog })
}

async function write(shard: FileShardStore, block: number, ...values: number[]): Promise<void> {
  await shard.write(at(block), fill(values), epoch(1))
}

async function grow(shard: FileShardStore, layers: readonly LayerRecord[]): Promise<void> {
  await shard.flush()
  await shard.prepareLayers(layers)
  shard.setLayers(layers)
}

/** Layer 1 is 1 1 1, layer 2 is . 2 ., and the head is . . 3 */
async function made(disk = newDisk()): Promise<Pair> {
  const store = await open(disk)
  const origin = await store.openShard(ORIGIN, ONE)
  await write(origin, 0, 1, 1, 1)
  await grow(origin, TWO)
  await write(origin, 1, 2)
  await grow(origin, THREE)
  await write(origin, 2, 3)
  if (!(await store.cloneShard(CLONE, FROM))) throw new Error('it is not whole')
  return { disk, store, origin, clone: await store.openShard(CLONE, CLONED) }
}

function seen(shard: FileShardStore, layer: number): Promise<Value[]> {
  return lookAt(shard, 'read', { layer, block: 0, count: 3 })
}

async function namesOf(disk: SimulatedDisk, path: string): Promise<number> {
  const file = (await disk.open(path, 'existing'))!
  const { names } = await file.links()
  await file.close()
  return names
}

async function merged(...shards: FileShardStore[]): Promise<void> {
  for (let i = 0; shards.some(shard => shard.merging()); i++) {
    if (i > 10_000) throw new Error('the merge does not end')
    await new Promise(resolve => setImmediate(resolve))
  }
}

test('a clone shows the snapshot, without a byte copied', async t => {
  const { disk, store, origin, clone } = await made()
  t.deepEqual(await seen(clone, 3), [1, 2, 1], 'what the snapshot shows')
  t.deepEqual(await seen(clone, 1), [1, 1, 1])
  t.deepEqual(await seen(origin, 3), [1, 2, 3], 'the origin is what it was')
  t.equal(await namesOf(disk, 'data/2/0/layer-1'), 2, 'the same file')
  t.equal(await namesOf(disk, 'data/2/0/layer-2'), 2)
  t.equal(await namesOf(disk, 'data/2/0/layer-3'), 1, 'a head of its own')
  await write(clone, 0, 7)
  await write(origin, 1, 8)
  t.deepEqual(await seen(clone, 3), [7, 2, 1])
  t.deepEqual(await seen(origin, 3), [1, 8, 3], 'neither sees the other')
  await store.close()
  t.equal(await namesOf(disk, 'data/2/0/layer-1'), 2, 'still shared')
  const again = await open(disk.crash())
  t.deepEqual(await seen(await again.openShard(CLONE, CLONED), 3), [7, 2, 1], 'also after a start')
  await again.close()
})

test('a file that several have takes its space once', async t => {
  const { store, origin, clone } = await made()
  const both = store.used()
  t.ok(origin.used() + clone.used() > both, 'each by itself counts it')
  const own = clone.files().find(({ shared }) => !shared)!
  t.equal(both, origin.used() + own.used, 'the head is what came')
  await store.dropShard(CLONE)
  t.equal(store.used(), origin.used(), 'and what goes')
})

test('what is shared is durable and no longer written', async t => {
  const disk = newDisk()
  const store = await open(disk)
  const origin = await store.openShard(ORIGIN, ONE)
  await write(origin, 0, 1, 1, 1)
  await grow(origin, TWO)
  await grow(origin, THREE)
  const page = await origin.indexPage(1, 0)
  const zeroes = { state: 'zeroes' as const, epoch: epoch(4), checksum: 0xc71c0011 }
  await origin.adopt(1, at(1), { entries: [zeroes], payload: new Uint8Array(0) })
  t.notDeepEqual(await origin.indexPage(1, 0), page, 'written, and not flushed')
  await store.cloneShard(CLONE, FROM)
  const loose = disk.choices().filter(({ what }) => /layer-[12] /.test(what))
  t.deepEqual(loose, [], 'a crash takes nothing of it')
  const clone = await store.openShard(CLONE, CLONED)
  // As catching up and repairing do.
  await origin.adopt(1, at(0), { entries: [zeroes], payload: new Uint8Array(0) })
  t.equal(await namesOf(disk, 'data/1/0/layer-1'), 1, 'copied before it was written')
  t.equal(await namesOf(disk, 'data/2/0/layer-1'), 1)
  t.deepEqual(await seen(origin, 1), [0, 0, 1])
  t.deepEqual(await seen(clone, 1), [1, 0, 1], 'the other has what it had')
  await clone.adopt(1, at(2), { entries: [zeroes], payload: new Uint8Array(0) })
  t.deepEqual(await seen(origin, 1), [0, 0, 1])
  const after = await open(disk.crash())
  await after.openShard(ORIGIN, THREE)
  await after.close()
})

test('merging on either side leaves the other alone', async t => {
  const { disk, origin, clone, store } = await made()
  origin.setLayers(prune(THREE, new Set([2])))
  await merged(origin)
  t.equal((await disk.list('data/1/0')).length, 2, 'one is left, and the head')
  t.deepEqual(await seen(origin, 2), [1, 2, 1])
  t.deepEqual(await seen(clone, 1), [1, 1, 1], 'the clone has both')
  t.deepEqual(await disk.list('data/2/0'), ['layer-1', 'layer-2', 'layer-3'])
  // Flattened: nothing is named any more.
  clone.setLayers(prune(CLONED, new Set()))
  await merged(clone)
  t.equal((await disk.list('data/2/0')).length, 1, 'all of it in one file')
  t.deepEqual(await seen(clone, 3), [1, 2, 1])
  t.deepEqual(await seen(origin, 3), [1, 2, 3])
  await store.dropShard(ORIGIN)
  t.deepEqual(await seen(clone, 3), [1, 2, 1], 'and it needs nobody')
  await store.close()
})

test('where only one of two files is shared, the other is written', async t => {
  const { disk, clone, store } = await made()
  // Layers 1 and 2 are shared; a layer of its own above them absorbs 2.
  await write(clone, 0, 7)
  const four = freeze(CLONED)
  await grow(clone, four)
  const own = clone.files().filter(({ shared }) => !shared)
  clone.setLayers(prune(four, new Set([1, 3])))
  await merged(clone)
  t.deepEqual(await disk.list('data/2/0'), ['layer-1', 'layer-3', 'layer-4'], 'merged upwards')
  t.deepEqual(await seen(clone, 3), [7, 2, 1])
  const left = clone.files().filter(({ shared }) => !shared)
  t.deepEqual(
    left.map(({ inode }) => inode),
    own.map(({ inode }) => inode),
    'no file was copied',
  )
  await store.close()
})

test('of an origin that is not open, or not there', async t => {
  const first = await made()
  await first.store.dropShard(CLONE)
  await first.store.close()
  const store = await open(first.disk.crash())
  t.equal(await store.cloneShard(CLONE, FROM), true, 'its files are enough')
  t.equal(await store.cloneShard(CLONE, FROM), true, 'again: they are there')
  const clone = await store.openShard(CLONE, CLONED)
  t.deepEqual(await seen(clone, 3), [1, 2, 1])
  const other = { volume: 3, shard: 5 }
  t.equal(await store.cloneShard(other, { ...FROM, volume: 2 }), false, 'nothing to begin with')
  t.deepEqual(await store.stored(), [ORIGIN, CLONE], 'and nothing made')
  const four = freeze(THREE)
  const more = { volume: 2, layers: branch(four, 3).slice(0, -1) }
  t.equal(await store.cloneShard({ volume: 3, shard: 0 }, more), true, 'a clone of a clone')
  await store.close()
})

test('a half-built clone counts for nothing', async t => {
  const { disk, store } = await made()
  await store.dropShard(CLONE)
  const moments: SimulatedDisk[] = []
  disk.observe = () => {
    moments.push(disk.survivor(disk.choices().map(({ options }) => options - 1)))
    moments.push(disk.survivor(disk.choices().map(() => 0)))
  }
  await store.cloneShard(CLONE, FROM)
  disk.observe = null
  let begun = 0
  for (const after of moments) {
    const next = await open(after)
    const there = await next.stored()
    const whole = there.some(({ volume }) => volume === CLONE.volume)
    if (!whole) begun++
    t.notOk((await after.list('data/2')).includes('0.new'), 'nothing is left of it')
    t.equal(await next.cloneShard(CLONE, FROM), true)
    t.deepEqual(await seen(await next.openShard(CLONE, CLONED), 3), [1, 2, 1])
    await next.close()
  }
  t.ok(begun > 3 && begun < moments.length, `${begun} of ${moments.length} before it was there`)
})
