// What layers hold, and hold alone, from their indexes.
import test from 'tape'
import { blockIndex, epoch } from '../../src/base/brands.js'
import { BLOCK_BYTES, BLOCKS_PER_INDEX_PAGE } from '../../src/base/limits.js'
import { silentLog } from '../../src/base/log.js'
import { FIRST_LAYER, freeze, prune, rollBack, type LayerRecord } from '../../src/layout/layers.js'
import { FileBlockStore } from '../../src/storage/store/file-block-store.js'
import { volumeUsage } from '../../src/storage/volume-usage.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import { NO_LATENCY, SimulatedDisk } from '../simulator/simulated-disk.js'
import { VirtualClock } from '../simulator/virtual-clock.js'

async function setUp() {
  const clock = new VirtualClock()
  const disk = new SimulatedDisk({ clock, random: new SeededRandom(1), latency: NO_LATENCY })
  const store = await FileBlockStore.open({ clock, disk, log: silentLog })
  const shard = await store.openShard({ volume: 1, shard: 0 }, [FIRST_LAYER])
  const write = async (first: number, blocks: number, value = 7): Promise<void> => {
    const data = new Uint8Array(blocks * BLOCK_BYTES).fill(value)
    await shard.write(blockIndex(first), data, epoch(1))
  }
  const set = async (layers: readonly LayerRecord[]): Promise<void> => {
    await shard.flush()
    await shard.prepareLayers(layers)
    shard.setLayers(layers)
  }
  /** In blocks. */
  const usage = async (): Promise<(readonly number[])[]> => {
    const { layers } = await volumeUsage([shard])
    return layers.map(({ layer, written, alone }) => {
      return [layer, written / BLOCK_BYTES, alone / BLOCK_BYTES]
    })
  }
  return { clock, store, shard, write, set, usage }
}

test('what a layer holds, and what only its snapshot shows', async t => {
  const { shard, store, write, set, usage } = await setUp()
  await write(0, 100)
  await write(BLOCKS_PER_INDEX_PAGE, 10)
  t.deepEqual(
    await usage(),
    [[1, 110, 0]].map(([id, all]) => [id, all, all]),
    'one layer: all',
  )
  const two = freeze([FIRST_LAYER])
  await set(two)
  t.deepEqual(await usage(), [
    [1, 110, 0],
    [2, 0, 0],
  ])
  await write(90, 20)
  await write(5, 1, 0)
  t.deepEqual(
    await usage(),
    [
      [1, 110, 11],
      [2, 20, 20],
    ],
    'what was written over, zeroes included',
  )
  const { used } = await volumeUsage([shard, shard])
  t.equal(used, 2 * shard.used(), 'of all shards')
  await store.close()
  t.end()
})

test('a layer under two: what both have anew; one under nobody: all', async t => {
  const { store, write, set, usage } = await setUp()
  await write(0, 100)
  const two = freeze([FIRST_LAYER])
  await set(two)
  await write(0, 50)
  await set(freeze(two))
  const forked = rollBack(freeze(two), { to: 1, named: new Set([1, 2]) })
  await set(forked)
  await write(40, 30)
  t.deepEqual(await usage(), [
    [1, 100, 10],
    [2, 50, 50],
    [4, 30, 30],
  ])
  await store.close()
  t.end()
})

test('layers that were absorbed count as part of the one that has them', async t => {
  const { clock, store, write, set, usage } = await setUp()
  await write(0, 100)
  const three = freeze(freeze([FIRST_LAYER]))
  await set(freeze([FIRST_LAYER]))
  await write(50, 100)
  await set(three)
  await set(prune(three, new Set([2])))
  t.deepEqual(await usage(), [
    [2, 150, 0],
    [3, 0, 0],
  ])
  await clock.advance(60_000)
  t.deepEqual((await usage())[0], [2, 150, 0], 'merged or not')
  await store.close()
  t.end()
})
