// Merging beside what layers-replay.test.ts finds by chance: which way, how fast, what happens to
// damage, on a full disk, and to those who do not wait for the end.
import test from 'tape'
import { blockIndex, epoch } from '../../../src/base/brands.js'
import { wait } from '../../../src/base/clock.js'
import { isSwarmdiskError, SwarmdiskError } from '../../../src/base/errors.js'
import { BLOCK_BYTES } from '../../../src/base/limits.js'
import { silentLog } from '../../../src/base/log.js'
import { FIRST_LAYER, freeze, prune, type LayerRecord } from '../../../src/layout/layers.js'
import { FileBlockStore } from '../../../src/storage/store/file-block-store.js'
import type { FileShardStore } from '../../../src/storage/store/file-shard-store.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { FAST_DISK, NO_LATENCY, SimulatedDisk } from '../../simulator/simulated-disk.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'
import { fill } from './block-model.js'
import { lookAt } from './layer-model.js'

const NAME = { volume: 1, shard: 0 }
const FOLDER = 'data/1/0'
const ONE = [FIRST_LAYER]
const TWO = freeze(ONE)
const THREE = freeze(TWO)
/** The first snapshot is gone. */
const MERGED = prune(TWO, new Set())
/** Nothing is left of the others. */
const GONE: readonly LayerRecord[] = [{ id: 4, parent: 0, covers: [{ first: 4, last: 4 }] }]
const at = blockIndex

interface Story {
  readonly clock: VirtualClock
  readonly disk: SimulatedDisk
  readonly store: FileBlockStore
  readonly shard: FileShardStore
  readonly warnings: string[]
}

/** A shard of two layers with so many blocks in each, from block 0 on. */
async function story(options: {
  readonly lower: number
  readonly upper: number
  readonly rate?: number
  readonly slow?: boolean
}): Promise<Story> {
  const clock = new VirtualClock()
  const latency = options.slow ? FAST_DISK : NO_LATENCY
  const disk = new SimulatedDisk({ clock, random: new SeededRandom(1), latency })
  const warnings: string[] = []
  const warn = (message: string): void => void warnings.push(message)
  const limits = options.rate ? { mergeBytesPerSecond: options.rate } : {}
  const opening = FileBlockStore.open({ clock, disk, log: { ...silentLog, warn }, limits })
  const store = await clock.settle('opening', opening)
  const shard = await clock.settle('opening', store.openShard(NAME, ONE))
  await clock.settle('lower', write(shard, options.lower, 1))
  await clock.settle('flush', shard.flush())
  await clock.settle('preparing', shard.prepareLayers(TWO))
  shard.setLayers(TWO)
  await clock.settle('upper', write(shard, options.upper, 2))
  await clock.settle('flush', shard.flush())
  return { clock, disk, store, shard, warnings }
}

async function write(shard: FileShardStore, count: number, value: number): Promise<void> {
  const values = Array.from({ length: Math.min(count, 256) }, () => value)
  for (let done = 0; done < count; done += values.length) {
    await shard.write(at(done), fill(values), epoch(1))
  }
}

function merged({ clock, shard }: Story): Promise<void> {
  return clock.until('merged', () => shard.merging() === null)
}

async function reads({ clock, shard }: Story, block: number, count = 1): Promise<unknown> {
  const { id } = shard.layers.at(-1)!
  return clock.settle('reading', lookAt(shard, 'read', { layer: id, block, count }))
}

test('what is less moves', async t => {
  const down = await story({ lower: 40, upper: 10 })
  down.shard.setLayers(MERGED)
  await merged(down)
  t.deepEqual(await down.disk.list(FOLDER), ['layer-1'])
  t.deepEqual(await reads(down, 9, 2), [2, 1])
  const up = await story({ lower: 10, upper: 40 })
  up.shard.setLayers(MERGED)
  await merged(up)
  t.deepEqual(await up.disk.list(FOLDER), ['layer-2'])
  t.deepEqual(await reads(up, 9, 2), [2, 2])
})

test('the pace, and how much is left', async t => {
  const slow = await story({ lower: 2048, upper: 1024, rate: 1024 * 1024 })
  const { clock, shard, store } = slow
  t.equal(store.merging(), null)
  shard.setLayers(MERGED)
  await clock.advance(1)
  const first = store.merging()!
  t.equal(first.files, 1)
  const whole = 1024 * BLOCK_BYTES
  // A second's worth goes at once.
  t.ok(first.bytesLeft > whole / 2 && first.bytesLeft < whole, `${first.bytesLeft} bytes left`)
  await clock.advance(1_500)
  t.ok(store.merging()!.bytesLeft < first.bytesLeft - 1024 * 1024, 'it goes on')
  await clock.advance(1_000)
  t.ok(store.merging(), 'but not faster')
  await merged(slow)
  t.deepEqual(await reads(slow, 1023, 2), [2, 1])
})

test('what is damaged stays damaged, and is never valid data of an older time', async t => {
  for (const { lower, upper } of [
    { lower: 40, upper: 10 },
    { lower: 40, upper: 60 },
  ]) {
    const damaged = await story({ lower, upper })
    const { disk, store, clock } = damaged
    await store.close()
    // The data of block 3 and the entry of block 4 in the upper layer, block 35 in the lower one.
    disk.bitFlip(`${FOLDER}/layer-2`, 4096 + 8192 + 3 * BLOCK_BYTES)
    disk.bitFlip(`${FOLDER}/layer-2`, 4096 + 4 * 8 + 7)
    disk.bitFlip(`${FOLDER}/layer-1`, 4096 + 8192 + 35 * BLOCK_BYTES)
    const again = await FileBlockStore.open({ clock, disk, log: silentLog })
    const shard = await again.openShard(NAME, MERGED)
    await clock.until('merged', () => shard.merging() === null)
    await again.close()
    const last = await FileBlockStore.open({ clock, disk, log: silentLog })
    const found = await (await last.openShard(NAME, MERGED)).read(at(0), new Uint8Array(40 * 4096))
    const bad = upper > 35 ? [3, 4] : [3, 4, 35]
    t.deepEqual(
      found.corrupt.map(({ block }) => block),
      bad,
      `${upper} above ${lower}`,
    )
    await last.close()
  }
})

test('a full disk stops a merge, is told once, and loses nothing', async t => {
  const full = await story({ lower: 10, upper: 40 })
  const { disk, shard, clock, warnings } = full
  await shard.write(at(0), fill([3]), epoch(1))
  await shard.write(at(100), fill([7, 7]), epoch(1))
  await shard.flush()
  const layers = freeze(TWO)
  await shard.prepareLayers(layers)
  shard.setLayers(layers)
  disk.setCapacity(disk.used())
  const gone = prune(layers, new Set())
  shard.setLayers(gone)
  await clock.advance(1_000)
  t.ok(shard.merging(), 'not merged')
  await clock.advance(130_000)
  t.ok(shard.merging())
  t.equal(warnings.length, 1)
  t.deepEqual(await reads(full, 0), [3])
  t.deepEqual(await reads(full, 100, 2), [7, 7])
  disk.setCapacity(2 ** 40)
  await clock.advance(61_000)
  t.equal(shard.merging(), null, 'with room it goes on')
  t.deepEqual(await reads(full, 0), [3])
})

test('a writer that is faster than a merge is not waited for', async t => {
  const busy = await story({ lower: 2048, upper: 1024, slow: true })
  const { clock, shard, disk } = busy
  let going = true
  const writers = Array.from({ length: 16 }, async (_, i) => {
    for (let n = 0; going; n++) {
      const block = (i * 64 + n * 7919) % 2000
      await shard.write(at(block), fill([9, 9, 9, 9]), epoch(1))
      await wait(clock, 1)
    }
  })
  shard.setLayers(MERGED)
  await clock.until('merged', () => shard.merging() === null)
  going = false
  await clock.settle('writers', Promise.all(writers))
  t.equal((await disk.list(FOLDER)).length, 1, 'it ends')
  await clock.settle('flush', shard.flush())
})

test('closing, dropping and rolling back do not wait for a merge', async t => {
  for (const how of ['close', 'drop', 'roll back'] as const) {
    for (let moment = 0; moment < 24; moment++) {
      const cut = await story({ lower: 600, upper: 300, rate: 512 * 1024, slow: true })
      const { clock, shard, store, disk } = cut
      // Most of the time the merge is between two looks at its files.
      const space = disk.space.bind(disk)
      disk.space = () => wait(clock, 3).then(space)
      const layers = prune(THREE, new Set([2]))
      await clock.settle('preparing', shard.prepareLayers(layers))
      await clock.settle('preparing', shard.prepareLayers(GONE))
      shard.setLayers(layers)
      await clock.advance(moment)
      if (how === 'close') {
        await clock.settle('closing', store.close(), 500)
        continue
      }
      if (how === 'drop') {
        await clock.settle('dropping', store.dropShard(NAME), 500)
        continue
      }
      shard.setLayers(GONE)
      await clock.advance(200)
      if ((await disk.list(FOLDER)).join() !== 'layer-4') t.fail(`files left, moment ${moment}`)
      await clock.settle('closing', store.close(), 500)
    }
    t.pass(how)
  }
})

test('after a deletion that may not last, nothing more is written', async t => {
  const broken = await story({ lower: 40, upper: 10 })
  const { disk, shard } = broken
  disk.fail = (operation, path) =>
    operation === 'sync' && path === FOLDER ? new SwarmdiskError('disk-error', 'EIO') : null
  shard.setLayers(MERGED)
  await broken.clock.advance(1_000)
  disk.fail = null
  for (const call of [() => shard.flush(), () => write(shard, 1, 5)]) {
    const error: unknown = await call().then(
      () => null,
      (reason: unknown) => reason,
    )
    t.ok(isSwarmdiskError(error, 'disk-error'), String(error))
  }
  t.deepEqual(await reads(broken, 9, 2), [2, 1], 'reads go on')
  for (const pick of [0, 1]) {
    const disks = disk.choices()
    const next = disk.survivor(disks.map(({ options }) => Math.min(pick, options - 1)))
    const again = await FileBlockStore.open({ clock: broken.clock, disk: next, log: silentLog })
    const found = await lookAt(await again.openShard(NAME, MERGED), 'read', {
      layer: 2,
      block: 9,
      count: 2,
    })
    t.deepEqual(found, [2, 1])
  }
})

test('many layers become one, a few shards at a time', async t => {
  const clock = new VirtualClock()
  const disk = new SimulatedDisk({ clock, random: new SeededRandom(3), latency: NO_LATENCY })
  const store = await FileBlockStore.open({ clock, disk, log: silentLog })
  let layers: readonly LayerRecord[] = ONE
  const shards: FileShardStore[] = []
  for (let i = 0; i < 5; i++) shards.push(await store.openShard({ volume: 1, shard: i }, layers))
  for (let n = 1; n <= 6; n++) {
    for (const shard of shards) {
      await shard.write(at(n), fill([n, n]), epoch(1))
      await shard.flush()
      await shard.prepareLayers(freeze(layers))
      shard.setLayers(freeze(layers))
    }
    layers = freeze(layers)
  }
  layers = prune(layers, new Set())
  for (const shard of shards) shard.setLayers(layers)
  t.deepEqual(store.merging()?.files, 30)
  await clock.until('merged', () => store.merging() === null)
  for (const [i, shard] of shards.entries()) {
    const found = await lookAt(shard, 'index', { layer: 7, block: 0, count: 9 })
    t.deepEqual(found, [null, 1, 2, 3, 4, 5, 6, 6, null])
    t.equal((await disk.list(`data/1/${i}`)).length, 1)
  }
  await store.close()
})
