// What callers see of a shard with several layers: where reads look, what each layer holds, and
// which files come and go.
import test from 'tape'
import { blockIndex, epoch } from '../../../src/base/brands.js'
import { silentLog } from '../../../src/base/log.js'
import {
  FIRST_LAYER,
  freeze,
  prune,
  rollBack,
  type LayerRecord,
} from '../../../src/layout/layers.js'
import type { IndexEntry, ShardStore } from '../../../src/storage/shard-store.js'
import { FileBlockStore } from '../../../src/storage/store/file-block-store.js'
import type { FileShardStore } from '../../../src/storage/store/file-shard-store.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { NO_LATENCY, SimulatedDisk } from '../../simulator/simulated-disk.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'
import { fill } from './block-model.js'
import { lookAt, type Value } from './layer-model.js'

const NAME = { volume: 1, shard: 0 }
const FOLDER = 'data/1/0'
const ONE = [FIRST_LAYER]
const TWO = freeze(ONE)
const THREE = freeze(TWO)
const at = blockIndex
const ABSENT: IndexEntry = { state: 'absent', epoch: epoch(0), checksum: 0 }

function newDisk(): SimulatedDisk {
  const random = new SeededRandom(1)
  return new SimulatedDisk({ clock: new VirtualClock(), random, latency: NO_LATENCY })
}

async function open(
  disk: SimulatedDisk,
  layers: readonly LayerRecord[],
): Promise<{ store: FileBlockStore; shard: FileShardStore }> {
  const store = await FileBlockStore.open({ clock: new VirtualClock(), disk, log: silentLog })
  return { store, shard: await store.openShard(NAME, layers) }
}

async function grow(shard: ShardStore, layers: readonly LayerRecord[]): Promise<void> {
  await shard.flush()
  await shard.prepareLayers(layers)
  shard.setLayers(layers)
}

async function write(shard: ShardStore, block: number, ...values: number[]): Promise<void> {
  await shard.write(at(block), fill(values), epoch(1))
}

/** The first blocks, as seen from this layer. */
function seen(shard: ShardStore, layer: number, count = 4): Promise<Value[]> {
  return lookAt(shard, 'read', { layer, block: 0, count })
}

/** What the layer itself has of them: null is absent. */
function own(shard: ShardStore, layer: number, count = 4): Promise<Value[]> {
  return lookAt(shard, 'index', { layer, block: 0, count })
}

async function settled(shard: FileShardStore): Promise<void> {
  for (let i = 0; i < 1000 && shard.merging(); i++) await turns(1)
  await turns(5)
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(resolve => setImmediate(resolve))
}

test('a read falls through what is absent; zeroes hide what is below', async t => {
  const { shard } = await open(newDisk(), ONE)
  await write(shard, 0, 1, 2, 3, 4)
  await grow(shard, TWO)
  await write(shard, 1, 5, 0)
  await grow(shard, THREE)
  await write(shard, 2, 6)
  t.deepEqual(await seen(shard, 3, 5), [1, 5, 6, 4, 0])
  t.deepEqual(await seen(shard, 2, 5), [1, 5, 0, 4, 0])
  t.deepEqual(await seen(shard, 1, 5), [1, 2, 3, 4, 0])
  t.deepEqual(await own(shard, 2), [null, 5, 0, null])
  t.deepEqual(await lookAt(shard, 'layer', { layer: 3, block: 0, count: 4 }), [0, 0, 6, 0])
  const into = new Uint8Array(4096)
  await shard.read(at(1), into)
  t.equal(into[0], 5, 'the head by default')
  t.deepEqual(shard.layers, THREE)
})

test('a long read over pages takes each range from where it is', async t => {
  const { shard } = await open(newDisk(), ONE)
  await write(shard, 500, ...Array.from({ length: 30 }, () => 1))
  await grow(shard, TWO)
  for (let block = 501; block < 530; block += 3) await write(shard, block, 2)
  const found = await lookAt(shard, 'read', { layer: 2, block: 498, count: 34 })
  const expected = Array.from({ length: 34 }, (_, i) => {
    const block = 498 + i
    if (block < 500 || block >= 530) return 0
    return block % 3 === 0 ? 2 : 1
  })
  t.deepEqual(found, expected)
})

test('copies go into the layer they are of', async t => {
  const { shard } = await open(newDisk(), ONE)
  const other = (await open(newDisk(), ONE)).shard
  await write(other, 0, 7, 0)
  const entries = (await own(other, 1, 2)).map((value, i): IndexEntry => {
    const checksum = i === 0 ? 0 : 0xc71c0011
    return { state: value === 0 ? 'zeroes' : 'data', epoch: epoch(1), checksum }
  })
  await write(shard, 0, 1, 2, 3)
  await grow(shard, TWO)
  await write(shard, 0, 9)
  await shard.adopt(1, at(1), { entries: [entries[1]!, ABSENT], payload: new Uint8Array(0) })
  t.deepEqual(await own(shard, 1), [1, 0, null, null])
  t.deepEqual(await own(shard, 2), [9, null, null, null])
  t.deepEqual(await seen(shard, 2), [9, 0, 0, 0])
  t.equal((await shard.summaries(1, { first: 0, count: 9 })).length, 1)
  t.equal(shard.pageCount(2), 1)
  await grow(shard, THREE)
  t.equal(shard.pageCount(3), 0)
})

test('a corrupt block is told with its layer, and does not let the one below through', async t => {
  const disk = newDisk()
  const { shard, store } = await open(disk, ONE)
  await write(shard, 0, 1, 2)
  await grow(shard, TWO)
  await write(shard, 0, 3)
  await store.close()
  disk.bitFlip(`${FOLDER}/layer-2`, 4096 + 8192 + 5)
  disk.bitFlip(`${FOLDER}/layer-1`, 4096 + 8192 + 4096)
  const again = (await open(disk, TWO)).shard
  const into = new Uint8Array(2 * 4096).fill(9)
  const { corrupt } = await again.read(at(0), into)
  t.deepEqual(corrupt, [
    { block: at(0), layer: 2 },
    { block: at(1), layer: 1 },
  ])
  t.ok(into.every(byte => byte === 0))
})

test('prepared layers are durable, change nothing, and stay if nobody sets them', async t => {
  const disk = newDisk()
  const { shard } = await open(disk, ONE)
  await write(shard, 0, 1)
  await Promise.all([shard.prepareLayers(TWO), shard.prepareLayers(TWO)])
  await shard.flush()
  t.deepEqual(await seen(shard, 1), [1, 0, 0, 0])
  t.deepEqual(await own(shard, 1), [1, null, null, null])
  shard.setLayers(ONE)
  const durable = disk.survivor(disk.choices().map(() => 0))
  t.deepEqual(await durable.list(FOLDER), ['layer-1', 'layer-2'])
  const again = await open(durable, ONE)
  await turns(5)
  t.deepEqual(await durable.list(FOLDER), ['layer-1', 'layer-2'], 'it is newer than the head')
  again.shard.setLayers(TWO)
  await write(again.shard, 0, 2)
  t.deepEqual(await seen(again.shard, 1, 1), [1])
})

test('the files of layers that are gone are deleted, durably, with their regions', async t => {
  const disk = newDisk()
  const { shard, store } = await open(disk, ONE)
  await write(shard, 0, 1)
  await grow(shard, TWO)
  await write(shard, 0, 2)
  const late = seen(shard, 2, 1)
  const back = rollBack(TWO, { to: 1, named: new Set([1]) })
  await shard.prepareLayers(back)
  shard.setLayers(back)
  t.deepEqual(await late, [2], 'a read that was called before')
  t.deepEqual(await seen(shard, 3, 1), [1])
  await write(shard, 0, 3)
  await settled(shard)
  t.deepEqual(await disk.list(FOLDER), ['layer-1', 'layer-3'])
  await shard.flush()
  const durable = disk.survivor(disk.choices().map(() => 0))
  t.deepEqual(await durable.list(FOLDER), ['layer-1', 'layer-3'])
  t.deepEqual(await seen((await open(durable, back)).shard, 3, 1), [3])
  await store.close()
})

test('layers that changed while the store was closed', async t => {
  const disk = newDisk()
  const first = await open(disk, ONE)
  await write(first.shard, 0, 1, 1)
  await grow(first.shard, TWO)
  await write(first.shard, 1, 2, 2)
  await grow(first.shard, THREE)
  await write(first.shard, 2, 3)
  await first.store.close()
  // Layer 2 was absorbed by 3, which was then frozen; 5 is a new head on 1.
  const later = prune(freeze(THREE), new Set([1, 3]))
  const layers = rollBack(later, { to: 1, named: new Set([1, 3]) })
  const { shard, store } = await open(disk, layers)
  t.deepEqual(await own(shard, 3), [null, 2, 3, null], 'before it is merged')
  await settled(shard)
  t.equal((await disk.list(FOLDER)).length, 3)
  t.deepEqual(await own(shard, 3), [null, 2, 3, null])
  t.deepEqual(await seen(shard, 3), [1, 2, 3, 0])
  t.deepEqual(await seen(shard, 5), [1, 1, 0, 0])
  await store.close()
  t.deepEqual(await seen((await open(disk, layers)).shard, 3), [1, 2, 3, 0])
})

test('dropping and setting aside take all files', async t => {
  const disk = newDisk()
  const { store, shard } = await open(disk, ONE)
  await grow(shard, TWO)
  await write(shard, 0, 1)
  const other = await store.openShard({ volume: 1, shard: 1 }, TWO)
  await write(other, 0, 1)
  t.deepEqual(await store.stored(), [NAME, { volume: 1, shard: 1 }])
  await store.dropShard(NAME)
  await store.setAside({ volume: 1, shard: 1 })
  t.deepEqual(await store.stored(), [])
  t.deepEqual(await disk.list('unexplained/1-1-1'), ['layer-1', 'layer-2'])
  await store.close()
  const log = await disk.open('data/dirty.log', 'existing')
  t.equal(await log!.size(), 32, 'and their dirty regions')
})

test('a page without entries is read once, and seen when it gets some', async t => {
  const disk = newDisk()
  const first = await open(disk, ONE)
  await write(first.shard, 20 * 512, 1)
  await first.store.close()
  let reads = 0
  const counting = new Proxy(disk, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      if (name !== 'open') return (value as () => unknown).bind(target)
      return async (...words: Parameters<SimulatedDisk['open']>) => {
        const file = await target.open(...words)
        if (!file) return null
        const read: typeof file.read = (...range) => {
          reads++
          return file.read(...range)
        }
        return new Proxy(file, {
          get(inner, part) {
            if (part === 'read') return read
            const found: unknown = Reflect.get(inner, part)
            return typeof found === 'function' ? (found as () => unknown).bind(inner) : found
          },
        })
      }
    },
  })
  const { shard } = await open(counting, ONE)
  const scan = async (): Promise<number> => {
    const before = reads
    let pages = 0
    for (let page = 0; page < shard.pageCount(1); page++) {
      if ((await shard.indexPage(1, page)).some(byte => byte !== 0)) pages++
    }
    t.equal(pages, expected, `${pages} pages with entries`)
    return reads - before
  }
  let expected = 1
  t.ok((await scan()) > 10, 'the first time it has to look')
  t.ok((await scan()) <= 1, 'then it reads what there is')
  await write(shard, 3 * 512, 7)
  expected = 2
  t.ok((await scan()) <= 2, 'with what was added')
})

test('a layer may go while its pages are summed up', async t => {
  const { store, shard } = await open(newDisk(), ONE)
  for (const block of [0, 512, 1024]) await write(shard, block, 7)
  await grow(shard, TWO)
  const summing = shard.summaries(1, { first: 0, count: 3 })
  shard.setLayers(prune(TWO, new Set()))
  const pages = (await summing).map(({ page }) => page)
  t.deepEqual(pages, [0], 'what was read by then')
  t.equal((await shard.summaries(2, { first: 0, count: 3 })).length, 3, 'another one has it all')
  await store.close()
})
