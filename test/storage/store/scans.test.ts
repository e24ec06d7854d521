// Scans (copies for others, scrubs) go through whole shards: index pages that clients use stay in
// memory all the same.
import test from 'tape'
import { blockIndex, epoch } from '../../../src/base/brands.js'
import { BLOCK_BYTES, BLOCKS_PER_INDEX_PAGE } from '../../../src/base/limits.js'
import { silentLog } from '../../../src/base/log.js'
import { FIRST_LAYER } from '../../../src/layout/layers.js'
import { FileBlockStore } from '../../../src/storage/store/file-block-store.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { NO_LATENCY, SimulatedDisk } from '../../simulator/simulated-disk.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'
import { fill } from './block-model.js'

const PAGES = 12
const LAYER = 1

test('a scan pushes no index page out of memory', async t => {
  const clock = new VirtualClock()
  const disk = new SimulatedDisk({ clock, random: new SeededRandom(1), latency: NO_LATENCY })
  const limits = { indexCachePages: 4 }
  const written = await FileBlockStore.open({ clock, disk, log: silentLog, limits })
  const name = { volume: 1, shard: 0 }
  const first = await written.openShard(name, [FIRST_LAYER])
  const block = (page: number): ReturnType<typeof blockIndex> =>
    blockIndex(page * BLOCKS_PER_INDEX_PAGE)
  for (let page = 0; page < PAGES; page++) await first.write(block(page), fill([page]), epoch(1))
  await written.close()
  const store = await FileBlockStore.open({ clock, disk, log: silentLog, limits })
  const shard = await store.openShard(name, [FIRST_LAYER])
  let reads = 0
  disk.fail = operation => {
    if (operation === 'read') reads++
    return null
  }
  const into = new Uint8Array(BLOCK_BYTES)
  /** How often the disk is read for it: for its index page, too, or for the block alone. */
  const hot = async (page: number): Promise<number> => {
    reads = 0
    await shard.read(block(page), into)
    return reads
  }
  t.deepEqual([await hot(1), await hot(2), await hot(1), await hot(2)], [2, 2, 1, 1])
  for (let page = 0; page < PAGES; page++) {
    await shard.indexPage(LAYER, page)
    await shard.readLayer(LAYER, block(page), into)
    t.equal(into[0], page, `page ${page} is read`)
  }
  t.deepEqual([await hot(1), await hot(2)], [1, 1], 'they are still there')
  t.equal(await hot(3), 2, 'and the others are not')
  await store.close()
})
