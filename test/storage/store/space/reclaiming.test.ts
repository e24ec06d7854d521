// Space that blocks had goes back to the disk: when they are zeroes, durably, and not before.
import test from 'tape'
import { blockIndex, epoch } from '../../../../src/base/brands.js'
import {
  BLOCK_BYTES,
  BLOCKS_PER_INDEX_PAGE,
  PUNCH_LEAST_BLOCKS,
} from '../../../../src/base/limits.js'
import { SwarmdiskError } from '../../../../src/base/errors.js'
import { silentLog } from '../../../../src/base/log.js'
import { FIRST_LAYER, freeze, prune } from '../../../../src/layout/layers.js'
import { FileBlockStore } from '../../../../src/storage/store/file-block-store.js'
import { blockOffset } from '../../../../src/storage/store/layer-format.js'
import { SeededRandom } from '../../../simulator/seeded-random.js'
import { NO_LATENCY, SimulatedDisk } from '../../../simulator/simulated-disk.js'
import { VirtualClock } from '../../../simulator/virtual-clock.js'

const NAME = { volume: 7, shard: 3 }
const PATH = 'data/7/3/layer-1'
const ONE = epoch(1)
const at = blockIndex

const data = (blocks: number, value = 7): Uint8Array =>
  new Uint8Array(blocks * BLOCK_BYTES).fill(value)
const zeroes = (blocks: number): Uint8Array => data(blocks, 0)

async function setUp(layers = [FIRST_LAYER]) {
  const clock = new VirtualClock()
  const disk = new SimulatedDisk({ clock, random: new SeededRandom(1), latency: NO_LATENCY })
  const punched: string[] = []
  disk.observe = (operation, path) => {
    if (operation === 'punch') punched.push(path)
  }
  const warnings: string[] = []
  const log = { ...silentLog, warn: (text: string) => void warnings.push(text) }
  const store = await FileBlockStore.open({ clock, disk, log })
  const shard = await store.openShard(NAME, layers)
  const quiet = (): Promise<void> => clock.advance(10)
  const content = async (block: number, blocks: number): Promise<number[]> => {
    const into = new Uint8Array(blocks * BLOCK_BYTES)
    const { corrupt } = await shard.read(at(block), into)
    if (corrupt.length > 0) throw new Error('corrupt')
    return Array.from({ length: blocks }, (_, i) => into[i * BLOCK_BYTES]!)
  }
  return { disk, store, shard, punched, warnings, quiet, content, log, clock }
}

test('blocks that become zeroes give their space back after the flush', async t => {
  const { store, shard, punched, quiet, content } = await setUp()
  await shard.write(at(0), data(512), ONE)
  await shard.flush()
  const before = store.used()
  await shard.write(at(100), zeroes(300), ONE)
  await quiet()
  t.deepEqual(punched, [], 'not before: an entry of before may come back')
  await shard.flush()
  await quiet()
  t.equal(punched.length, 1)
  t.ok(store.used() <= before - 300 * BLOCK_BYTES, `${before} before, ${store.used()} after`)
  t.deepEqual(await content(99, 2), [7, 0])
  t.deepEqual(await content(399, 2), [0, 7])
  await shard.write(at(100), data(1, 9), ONE)
  t.deepEqual(await content(99, 3), [7, 9, 0])
  await store.close()
  t.end()
})

test('what was written since the flush is left alone', async t => {
  const { shard, disk, quiet, clock, log } = await setUp()
  await shard.write(at(0), data(512), ONE)
  await shard.flush()
  await shard.write(at(0), zeroes(64), ONE)
  const flushed = shard.flush()
  await quiet()
  await flushed
  await shard.write(at(200), zeroes(64), ONE) // no flush covers these
  await quiet()
  const next = await FileBlockStore.open({ clock, disk: disk.crash(), log })
  const again = await next.openShard(NAME, [FIRST_LAYER])
  const into = new Uint8Array(512 * BLOCK_BYTES)
  t.deepEqual((await again.read(at(0), into)).corrupt, [], 'nothing is lost')
  const values = [...new Set(Array.from({ length: 64 }, (_, i) => into[(200 + i) * BLOCK_BYTES]))]
  t.ok(
    values.every(value => value === 7 || value === 0),
    'old or new',
  )
  t.equal(into[0], 0)
  await next.close()
  t.end()
})

test('what was called while space is given back keeps it until the next flush', async t => {
  const { store, shard, disk, punched, quiet } = await setUp()
  const second = BLOCKS_PER_INDEX_PAGE
  for (const first of [0, second]) await shard.write(at(first), data(512), ONE)
  await shard.flush()
  for (const first of [0, second]) await shard.write(at(first), zeroes(64), ONE)
  let write: Promise<void> | null = null
  disk.observe = (operation, path) => {
    if (operation !== 'punch') return
    punched.push(path)
    write ??= shard.write(at(second + 64), zeroes(64), ONE) // before the turn of the second page
  }
  await shard.flush()
  await quiet()
  await (write as Promise<void> | null)
  t.equal(punched.length, 2, 'both pages')
  t.ok(disk.hasData(PATH, blockOffset(second + 64)), 'no flush has covered these')
  t.notOk(disk.hasData(PATH, blockOffset(second + 63)))
  await shard.flush()
  await quiet()
  t.notOk(disk.hasData(PATH, blockOffset(second + 64)), 'now one has')
  await store.close()
  t.end()
})

test('few of them keep their space, and join those beside them', async t => {
  const { store, shard, punched, quiet } = await setUp()
  await shard.write(at(0), data(512), ONE)
  await shard.flush()
  await shard.write(at(8), zeroes(PUNCH_LEAST_BLOCKS - 1), ONE)
  await shard.flush()
  await quiet()
  t.deepEqual(punched, [])
  await shard.write(at(8 + PUNCH_LEAST_BLOCKS - 1), zeroes(1), ONE)
  await shard.flush()
  await quiet()
  t.equal(punched.length, 1)
  await store.close()
  t.end()
})

test('zeroes above a snapshot take nothing from it', async t => {
  const { store, shard, punched, quiet, content } = await setUp()
  await shard.write(at(0), data(512), ONE)
  await shard.flush()
  const layers = freeze([FIRST_LAYER])
  await shard.prepareLayers(layers)
  shard.setLayers(layers)
  await shard.write(at(0), zeroes(512), epoch(2))
  await shard.flush()
  await quiet()
  t.deepEqual(punched, [])
  t.deepEqual(await content(0, 1), [0])
  const into = new Uint8Array(BLOCK_BYTES)
  await shard.read(at(0), into, 1)
  t.equal(into[0], 7)
  await store.close()
  t.end()
})

test('zeroes above a snapshot that is deleted give back what it had', async t => {
  const { store, shard, clock, punched, content } = await setUp()
  await shard.write(at(0), data(512), ONE)
  await shard.flush()
  const layers = freeze([FIRST_LAYER])
  await shard.prepareLayers(layers)
  shard.setLayers(layers)
  await shard.write(at(100), zeroes(300), epoch(2))
  await shard.flush()
  const before = store.used()
  shard.setLayers(prune(layers, new Set()))
  await clock.until('merged', () => shard.merging() === null)
  await clock.advance(10)
  t.deepEqual(punched, [PATH], 'the zeroes have moved down, and nobody has to flush for it')
  t.ok(store.used() <= before - 300 * BLOCK_BYTES, `${before} before, ${store.used()} after`)
  t.deepEqual([...(await content(99, 2)), ...(await content(399, 2))], [7, 0, 0, 7])
  await store.close()
  t.end()
})

test('a disk that cannot is told of once, and nothing else changes', async t => {
  const { disk, store, shard, warnings, punched, quiet, content } = await setUp()
  disk.holes = false
  for (let page = 0; page < 3; page++) {
    const first = page * BLOCKS_PER_INDEX_PAGE
    await shard.write(at(first), data(100), ONE)
    await shard.flush()
    await shard.write(at(first), zeroes(100), ONE)
    await shard.flush()
    await quiet()
    t.deepEqual(await content(first, 1), [0])
  }
  t.equal(punched.length, 0)
  t.equal(warnings.filter(text => text.includes('fallocate')).length, 1)
  await store.close()
  t.end()
})

test('a disk that fails is tried again when more is given back', async t => {
  const { disk, store, shard, warnings, punched, quiet } = await setUp()
  await shard.write(at(0), data(512), ONE)
  await shard.flush()
  disk.fail = (operation, path) =>
    operation === 'punch' ? new SwarmdiskError('disk-error', `cannot punch ${path}`) : null
  await shard.write(at(0), zeroes(100), ONE)
  await shard.flush()
  await quiet()
  t.deepEqual(warnings, ['space was not given back'])
  disk.fail = null
  await shard.write(at(100), zeroes(100), ONE)
  await shard.flush()
  await quiet()
  t.deepEqual(punched, [PATH])
  t.ok(store.used() <= 320 * BLOCK_BYTES)
  await store.close()
  t.end()
})
