// What stays in memory, in MiB of heap and of buffers that hang on it, when all that can be
// collected is gone.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { blockIndex, byteCount, byteOffset, epoch } from '../../src/base/brands.js'
import { BLOCK_BYTES, BLOCKS_PER_INDEX_PAGE, EXTENT_BYTES } from '../../src/base/limits.js'
import type { Configuration } from '../../src/layout/configuration.js'
import { FIRST_LAYER } from '../../src/layout/layers.js'
import { decodeConfiguration, encodeConfiguration } from '../../src/net/codecs/configuration.js'
import { grown } from './cluster.js'
import { mountOf, withStore } from './parts.js'

const MiB = 2 ** 20
const TiB = 2 ** 40
/** Of a storage server: shards of 8 GiB, and one more that fills the caches. */
const SHARDS = 8
const PAGES = 4096

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function used(): number {
  for (let i = 0; i < 3; i++) collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return (heapUsed + arrayBuffers) / MiB
}

/** What `make` leaves behind, as long as its result lives. */
async function kept<T>(
  make: () => T | Promise<T>,
): Promise<{ readonly mib: number; readonly it: T }> {
  const before = used()
  const it = await make()
  return { mib: used() - before, it }
}

/** Of a peer that has been sent everything; and with a mount on it whose names were looked up. */
export async function perThousandVolumes(
  configuration: Configuration,
): Promise<{ readonly configuration: number; readonly mount: number }> {
  const bytes = encodeConfiguration(configuration)
  const { mib, it } = await kept(() => decodeConfiguration(bytes))
  const mount = await kept(() => {
    const driver = mountOf(it)
    driver.size('v1')
    return driver
  })
  mount.it.abort()
  const thousands = configuration.volumes.size / 1000
  return { configuration: mib / thousands, mount: (mib + mount.mib) / thousands }
}

/** A volume of a TiB is open, and something was read of each of its extents. */
export async function clientPerTiB(): Promise<number> {
  const { configuration } = grown(3, 1, byteCount(TiB))
  const driver = mountOf(configuration)
  const { mib } = await kept(async () => {
    const volume = driver.open('v1')!
    const into = Buffer.alloc(BLOCK_BYTES)
    for (let at = 0; at < TiB; at += 16 * EXTENT_BYTES) await volume.read(byteOffset(at), into)
    return volume
  })
  driver.abort()
  return mib
}

/** A block in each index page is written: the index cache is small and full from the beginning. */
export async function serverPerTiB(): Promise<number> {
  let growth = NaN
  await withStore({ indexCachePages: 64 }, async store => {
    const touch = async (n: number): Promise<void> => {
      const shard = await store.openShard({ volume: 1, shard: n }, [FIRST_LAYER])
      const block = new Uint8Array(BLOCK_BYTES).fill(7)
      for (let page = 0; page < PAGES; page++) {
        await shard.write(blockIndex(page * BLOCKS_PER_INDEX_PAGE), block, epoch(1))
        if (page % 512 === 511) await shard.flush()
      }
    }
    await touch(0)
    const { mib } = await kept(async () => {
      for (let n = 1; n <= SHARDS; n++) await touch(n)
    })
    growth = mib / SHARDS
  })
  return (growth * TiB) / (PAGES * BLOCKS_PER_INDEX_PAGE * BLOCK_BYTES)
}
