// Stores that earlier releases wrote are opened: the fixtures are never changed, only added to.
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import { clusterId } from '../../../src/base/brands.js'
import { isSwarmdiskError } from '../../../src/base/errors.js'
import { systemClock } from '../../../src/base/clock.js'
import { silentLog, type LogFields } from '../../../src/base/log.js'
import { readDurableFile } from '../../../src/disk/durable-file.js'
import { NodeDisk } from '../../../src/disk/node-disk.js'
import { FIRST_LAYER } from '../../../src/layout/layers.js'
import { FileBlockStore } from '../../../src/storage/store/file-block-store.js'
import { decodeEntry } from '../../../src/storage/store/layer-format.js'
import { contents } from './block-model.js'

const CLUSTER = clusterId('0123456789abcdef'.repeat(2))

test('format 1: a store as a killed server left it', async t => {
  const root = await mkdtemp(join(tmpdir(), 'swarmdisk-format-'))
  const fixture = fileURLToPath(new URL('../../fixtures/formats/store-v1', import.meta.url))
  try {
    await cp(fixture, root, { recursive: true })
    const disk = new NodeDisk({ root })
    const metadata = await readDurableFile(disk, 'metadata', { magic: 'SWDFIXTR', version: 1 })
    t.equal(metadata && Buffer.from(metadata.payload).toString(), 'hello')

    const recovered: string[] = []
    const info = (_message: string, fields: LogFields = {}): void =>
      void recovered.push(Object.values(fields).join())
    const log = { ...silentLog, info }
    const store = await FileBlockStore.open({ clock: systemClock, disk, log, cluster: CLUSTER })
    t.deepEqual(recovered.sort(), ['3,5,1,0', '3,6,1,0'], 'volume, shard, regions, decided')
    t.deepEqual(await store.stored(), [
      { volume: 3, shard: 5 },
      { volume: 3, shard: 6 },
    ])
    const first = await store.openShard({ volume: 3, shard: 5 }, [FIRST_LAYER])
    t.deepEqual(await contents(first, 0, 4), [0x33, 0, 0x22, 0])
    const page = await first.indexPage(1, 0)
    const entries = [0, 1, 2, 3].map(slot => decodeEntry(page, slot))
    t.deepEqual(
      entries.map(entry => `${entry?.state} ${entry?.epoch}`),
      ['data 8', 'zeroes 7', 'data 8', 'absent 0'],
    )
    const second = await store.openShard({ volume: 3, shard: 6 }, [FIRST_LAYER])
    t.deepEqual(await contents(second, 0, 1), [0x44])
    await store.close()

    const stranger = {
      clock: systemClock,
      disk,
      log: silentLog,
      cluster: clusterId('f'.repeat(32)),
    }
    const other = await FileBlockStore.open(stranger)
    const error: unknown = await other
      .openShard({ volume: 3, shard: 5 }, [FIRST_LAYER])
      .catch((reason: unknown) => reason)
    t.ok(isSwarmdiskError(error, 'wrong-cluster'))
    await other.close()
  } finally {
    await rm(root, { recursive: true, force: true })
  }
})
