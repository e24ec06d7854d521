// What callers see of the block store, on the simulated disk and, in short, on the real one.
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type Test } from 'tape'
import { blockIndex, clusterId, epoch } from '../../../src/base/brands.js'
import { SwarmdiskError, isSwarmdiskError, type ErrorCode } from '../../../src/base/errors.js'
import { wait } from '../../../src/base/clock.js'
import { BLOCK_BYTES, DIRTY_REGIONS_KEPT_MS } from '../../../src/base/limits.js'
import { silentLog } from '../../../src/base/log.js'
import type { Disk } from '../../../src/disk/disk.js'
import { NodeDisk } from '../../../src/disk/node-disk.js'
import { FIRST_LAYER } from '../../../src/layout/layers.js'
import type { CorruptBlock, IndexEntry, ShardStore } from '../../../src/storage/shard-store.js'
import { DirtyLog } from '../../../src/storage/store/dirty/dirty-log.js'
import { FileBlockStore } from '../../../src/storage/store/file-block-store.js'
import { decodeEntry } from '../../../src/storage/store/layer-format.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { NO_LATENCY, SimulatedDisk } from '../../simulator/simulated-disk.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'
import { contents, fill, stored } from './block-model.js'

/** Nothing here waits for it, but where a test has its own. */
const clock = new VirtualClock()
const NAME = { volume: 1, shard: 0 }
const LAYERS = [FIRST_LAYER]
const LAYER = 'data/1/0/layer-1'
const at = blockIndex

function newDisk(capacity = 2 ** 40): SimulatedDisk {
  const random = new SeededRandom(1)
  return new SimulatedDisk({ clock: new VirtualClock(), random, latency: NO_LATENCY, capacity })
}

async function open(
  disk: Disk,
  options: Partial<Parameters<typeof FileBlockStore.open>[0]> = {},
): Promise<{ store: FileBlockStore; shard: ShardStore }> {
  const store = await FileBlockStore.open({ clock, disk, log: silentLog, ...options })
  return { store, shard: await store.openShard(NAME, LAYERS) }
}

async function rejects(t: Test, promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  )
  t.ok(isSwarmdiskError(error, code), `${code}: ${String(error)}`)
}

function corrupt(...blocks: readonly number[]): CorruptBlock[] {
  return blocks.map(block => ({ block: at(block), layer: 1 }))
}

async function entries(shard: ShardStore, page: number): Promise<(IndexEntry | null)[]> {
  const bytes = await shard.indexPage(1, page)
  return Array.from({ length: 512 }, (_, slot) => decodeEntry(bytes, slot))
}

test('blocks are written, read and found again', async t => {
  const disk = newDisk()
  const { store, shard } = await open(disk)
  t.deepEqual(await contents(shard, 5000, 3), [0, 0, 0], 'a new shard reads as zeroes')
  t.equal(shard.pageCount(1), 0)
  await shard.write(at(510), fill([1, 2, 3, 0, 5]), epoch(9))
  await shard.write(at(1022), fill([6, 7, 8, 9]), epoch(10))
  t.deepEqual(await contents(shard, 509, 7), [0, 1, 2, 3, 0, 5, 0], 'over index pages')
  t.deepEqual(await contents(shard, 1021, 6), [0, 6, 7, 8, 9, 0], 'over extents')
  t.equal(shard.pageCount(1), 3)
  const page = await entries(shard, 1)
  t.deepEqual(
    page.slice(0, 4).map(entry => `${entry?.state} ${entry?.epoch}`),
    ['data 9', 'zeroes 9', 'data 9', 'absent 0'],
  )
  t.equal(await store.openShard(NAME, LAYERS), shard, 'the same object while it is open')
  await store.close()
  const again = await open(disk)
  t.deepEqual(await contents(again.shard, 509, 7), [0, 1, 2, 3, 0, 5, 0])
  t.deepEqual(await contents(again.shard, 1021, 6), [0, 6, 7, 8, 9, 0])
  t.equal(again.shard.pageCount(1), 3)
  await again.store.close()
})

test('the real disk: sparse, private, restarts', async t => {
  const root = await mkdtemp(join(tmpdir(), 'swarmdisk-store-'))
  try {
    const first = await open(new NodeDisk({ root }))
    await first.shard.write(at(1_000_000), fill([1, 2, 3]), epoch(1))
    await first.shard.flush()
    t.ok(first.store.used() <= 8 * BLOCK_BYTES, `${first.store.used()} bytes used`)
    // No close: the process was killed. What it wrote is recovered.
    await first.shard.write(at(1_000_001), fill([9, 0]), epoch(1))
    const again = await open(new NodeDisk({ root }))
    t.deepEqual(await contents(again.shard, 999_999, 5), [0, 1, 9, 0, 0])
    const file = await stat(join(root, LAYER))
    t.ok(file.size > 3_900_000_000 && file.blocks * 512 < 100_000, 'holes where nothing is')
    await again.store.close()
    t.equal((await stat(join(root, 'data/dirty.log'))).size, 32, 'a clean stop empties the log')
    await first.store.close()
  } finally {
    await rm(root, { recursive: true, force: true })
  }
})

test('zeroes take no space', async t => {
  const disk = newDisk()
  const { shard } = await open(disk)
  await shard.flush()
  const before = shard.used()
  await shard.write(at(0), fill(new Array<number>(256).fill(0)), epoch(1))
  await shard.flush()
  t.ok(shard.used() - before <= BLOCK_BYTES, 'one index page at most')
  await shard.write(at(0), fill([1, 2]), epoch(1))
  t.equal(shard.used() - before, 3 * BLOCK_BYTES, 'counted before the flush')
  await shard.flush()
  t.equal(shard.used() - before, 3 * BLOCK_BYTES, 'and after it')
})

test('a flipped bit is reported, in data and in every state of an entry', async t => {
  const disk = newDisk()
  const { shard, store } = await open(disk)
  await shard.write(at(0), fill([1, 2, 0, 4]), epoch(5))
  await store.close()
  const dataOffset = 4096 + 8192
  disk.bitFlip(LAYER, dataOffset + 4096 + 17)
  const again = await open(disk)
  const into = new Uint8Array(4 * BLOCK_BYTES).fill(9)
  t.deepEqual((await again.shard.read(at(0), into)).corrupt, corrupt(1))
  t.ok(
    into.subarray(BLOCK_BYTES, 2 * BLOCK_BYTES).every(byte => byte === 0),
    'and not shown',
  )
  await again.shard.write(at(1), fill([7]), epoch(6))
  t.deepEqual(await contents(again.shard, 0, 4), [1, 7, 0, 4], 'overwriting repairs')
  await again.store.close()
  // The lowest bit of a state: data looks absent, zeroes invalid, absent like data.
  for (const slot of [0, 2, 5]) disk.bitFlip(LAYER, 4096 + slot * 8)
  const third = await open(disk)
  const all = new Uint8Array(6 * BLOCK_BYTES)
  t.deepEqual((await third.shard.read(at(0), all)).corrupt, corrupt(0, 2, 5))
})

test('adopt takes over entries as they are', async t => {
  const source = (await open(newDisk())).shard
  const target = (await open(newDisk())).shard
  await source.write(at(0), fill([1, 0, 3]), epoch(4))
  await target.write(at(0), fill([9, 9, 9, 9]), epoch(2))
  const page = await entries(source, 0)
  await target.adopt(1, at(0), { entries: page.slice(0, 4) as IndexEntry[], payload: fill([1, 3]) })
  t.deepEqual(await contents(target, 0, 4), [1, 0, 3, 0])
  t.deepEqual(
    await target.summaries(1, { first: 0, count: 10 }),
    await source.summaries(1, { first: 0, count: 10 }),
    'equal summaries',
  )
  t.equal((await source.summaries(1, { first: 0, count: 10 })).length, 1)
  await target.write(at(1), fill([0]), epoch(5))
  t.notDeepEqual(
    await target.summaries(1, { first: 0, count: 1 }),
    await source.summaries(1, { first: 0, count: 1 }),
    'another epoch differs',
  )
  const wrong = { entries: page.slice(0, 1) as IndexEntry[], payload: fill([2]) }
  await rejects(t, target.adopt(1, at(0), wrong), 'corrupt')
  t.deepEqual(await contents(target, 0, 1), [1], 'nothing of a wrong copy is kept')
  const absent: IndexEntry = { state: 'absent', epoch: epoch(0), checksum: 0 }
  await target.write(at(5000), fill([1]), epoch(5))
  t.equal(target.pageCount(1), 10)
  await target.adopt(1, at(5000), { entries: [absent], payload: new Uint8Array(0) })
  t.equal(target.pageCount(1), 1, 'pages without entries at the end do not count')
})

test('overlapping calls take effect in their order, others side by side', async t => {
  const clock = new VirtualClock()
  const disk = new SimulatedDisk({ clock, random: new SeededRandom(5) })
  const { shard } = await clock.settle('opening', open(disk))
  const all: Promise<unknown>[] = []
  const seen: number[][] = []
  for (let i = 1; i <= 20; i++) {
    all.push(stored(() => shard.write(at(i % 3), fill([i, i]), epoch(1))))
    all.push(contents(shard, i % 3, 2).then(found => seen.push(found)))
  }
  await clock.settle('all', Promise.all(all))
  t.ok(seen.length === 20 && seen.every(([a, b]) => a === b), 'every read saw the write before it')
  t.deepEqual(await clock.settle('reading', contents(shard, 0, 4)), [18, 19, 20, 20])
})

test('flushes coalesce, and one with nothing to do asks nothing of the disk', async t => {
  const disk = newDisk()
  const { shard } = await open(disk)
  await shard.write(at(0), fill([1]), epoch(1))
  let syncs = 0
  disk.observe = (operation, path) => {
    if (operation === 'sync' && path === LAYER) syncs++
  }
  await Promise.all(Array.from({ length: 10 }, () => shard.flush()))
  t.equal(syncs, 1)
  await shard.flush()
  t.equal(syncs, 1)
})

test('first writes share syncs of the log, and a sequential writer needs few', async t => {
  const clock = new VirtualClock()
  const disk = new SimulatedDisk({ clock, random: new SeededRandom(5) })
  const { shard, store } = await clock.settle('opening', open(disk))
  const other = await clock.settle('opening', store.openShard({ volume: 2, shard: 5 }, LAYERS))
  let syncs = 0
  disk.observe = (operation, path) => {
    if (operation === 'sync' && path === 'data/dirty.log') syncs++
  }
  const writes = [3, 900, 5000, 9000, 20_000].flatMap(block => [
    stored(() => shard.write(at(block), fill([1]), epoch(1))),
    stored(() => other.write(at(block), fill([1]), epoch(1))),
  ])
  await clock.settle('writes', Promise.all(writes))
  t.ok(syncs <= 2, `${syncs} syncs for ten regions`)
  syncs = 0
  for (let page = 100; page < 132; page++) {
    await clock.settle(
      'write',
      stored(() => shard.write(at(page * 512), fill([1]), epoch(1))),
    )
  }
  t.ok(syncs <= 6, `${syncs} syncs for 32 regions in a row`)
})

test('who writes and flushes in turns syncs the log once, until a block comes again', async t => {
  const disk = newDisk()
  const { shard } = await open(disk)
  let syncs = 0
  disk.observe = (operation, path) => {
    if (operation === 'sync' && path === 'data/dirty.log') syncs++
  }
  const writeAndFlush = async (block: number, value: number): Promise<void> => {
    await shard.write(at(block), fill([value]), epoch(1))
    await shard.flush()
  }
  for (let block = 0; block < 100; block++) await writeAndFlush(block, 1)
  t.equal(syncs, 1, 'for a hundred flushes')
  await writeAndFlush(7, 2)
  t.equal(syncs, 2, 'a block that was made durable since')
  await shard.write(at(7), fill([3]), epoch(1))
  for (const choice of [0, 1]) {
    const survivor = await open(disk.survivor(disk.choices().map(() => choice)))
    const [found] = await contents(survivor.shard, 7, 1)
    t.ok(found === 2 || found === 3, `what was flushed, or what came after it: ${found}`)
  }
})

test('a region that nobody writes any more leaves the log, and that is written down', async t => {
  const clock = new VirtualClock()
  const disk = newDisk()
  const { shard } = await open(disk, { clock })
  await shard.write(at(0), fill([1]), epoch(1))
  await shard.flush()
  const recovered = async (): Promise<readonly unknown[]> => {
    const survivor = disk.survivor(disk.choices().map(() => 0))
    const log = await DirtyLog.open({ disk: survivor, log: silentLog, bytes: 1e6 })
    return log.regions()
  }
  t.equal((await recovered()).length, 1, 'kept, for the next write')
  await clock.settle('a while', wait(clock, 3 * DIRTY_REGIONS_KEPT_MS))
  t.equal((await recovered()).length, 0)
  await shard.write(at(0), fill([2]), epoch(1))
  t.equal((await recovered()).length, 1, 'logged again')
})

test('the cache of index pages and the dirty regions are bounded', async t => {
  const disk = newDisk()
  const regions = { dirtyRegionsKept: 2, dirtyRegionsCheckpoint: 6, dirtyRegionsMax: 8 }
  const limits = { indexCachePages: 4, ...regions }
  const { shard } = await open(disk, { limits: { ...limits, dirtyLogBytes: 20_000 } })
  for (let i = 0; i < 100; i++) await shard.write(at(i * 700), fill([i + 1]), epoch(1))
  for (let i = 0; i < 100; i++) await shard.write(at(i * 700 + 1), fill([i + 1]), epoch(1))
  const found = await Promise.all(
    Array.from({ length: 100 }, (_, i) => contents(shard, i * 700, 2)),
  )
  t.ok(found.every(([a, b], i) => a === i + 1 && b === i + 1))
  const log = await disk.open('data/dirty.log', 'existing')
  t.ok((await log!.size()) < 100_000, `${await log!.size()} bytes of log`)
  const killed = disk.crash()
  const again = await open(killed, { limits })
  t.equal((await contents(again.shard, 0, 1))[0], 1, 'flushed in the background')
})

test('a full disk is told, and what was there stays', async t => {
  const disk = newDisk(20 * BLOCK_BYTES)
  const { shard } = await open(disk)
  await shard.write(at(0), fill([1]), epoch(1))
  await shard.flush()
  const many = fill(new Array<number>(30).fill(2))
  await rejects(
    t,
    stored(() => shard.write(at(0), many, epoch(1))),
    'disk-full',
  )
  t.deepEqual(await contents(shard, 0, 1), [1])
  disk.setCapacity(2 ** 30)
  await shard.write(at(0), many, epoch(2))
  await shard.flush()
  t.deepEqual(await contents(shard, 29, 2), [2, 0], 'with more room it goes on')
})

test('an index page that could not be written is written by the next flush', async t => {
  const disk = newDisk()
  const { shard } = await open(disk)
  await shard.write(at(0), fill([1]), epoch(1))
  await shard.flush()
  let writes = 0
  disk.fail = (operation, path) => {
    // Log first, then data, then the index page.
    if (operation !== 'write' || path !== LAYER || ++writes !== 2) return null
    return new SwarmdiskError('disk-full', 'full')
  }
  await rejects(
    t,
    stored(() => shard.write(at(0), fill([2]), epoch(1))),
    'disk-full',
  )
  await shard.flush()
  const durable = await open(disk.survivor(disk.choices().map(() => 0)))
  t.deepEqual(await contents(durable.shard, 0, 1), [2], 'index and data agree')
})

test('after a failed sync a shard takes no more writes until a restart', async t => {
  const disk = newDisk()
  const { store, shard } = await open(disk)
  await shard.write(at(0), fill([1]), epoch(1))
  disk.fail = (operation, path) =>
    operation === 'sync' && path === LAYER ? new SwarmdiskError('disk-error', 'EIO') : null
  await rejects(t, shard.flush(), 'disk-error')
  disk.fail = null
  await rejects(t, shard.flush(), 'disk-error')
  await rejects(
    t,
    stored(() => shard.write(at(0), fill([2]), epoch(1))),
    'disk-error',
  )
  t.deepEqual(await contents(shard, 0, 1), [1], 'reads go on')
  await rejects(t, store.close(), 'disk-error')
  const again = await open(disk.restart())
  t.deepEqual(await contents(again.shard, 0, 1), [1])
  await again.shard.write(at(0), fill([2]), epoch(1))
  await again.shard.flush()
})

test('a log that cannot be written stops new regions only, and recovers', async t => {
  const disk = newDisk()
  const { shard } = await open(disk)
  await shard.write(at(0), fill([1]), epoch(1))
  disk.fail = (operation, path) =>
    operation === 'sync' && path.startsWith('data/dirty.log')
      ? new SwarmdiskError('disk-error', 'EIO')
      : null
  await rejects(
    t,
    stored(() => shard.write(at(5000), fill([1]), epoch(1))),
    'disk-error',
  )
  await shard.write(at(0), fill([2]), epoch(1))
  disk.fail = null
  await shard.write(at(5000), fill([3]), epoch(1))
  const again = await open(disk.restart())
  t.deepEqual(await contents(again.shard, 0, 1), [2])
  t.deepEqual(await contents(again.shard, 5000, 1), [3])
})

test('stored, dropShard, setAside', async t => {
  const disk = newDisk()
  const { store, shard } = await open(disk)
  for (const name of [
    { volume: 1, shard: 9 },
    { volume: 12, shard: 3 },
  ]) {
    const other = await store.openShard(name, LAYERS)
    await other.write(at(0), fill([name.shard]), epoch(1))
  }
  await shard.write(at(0), fill([1]), epoch(1))
  t.deepEqual(await store.stored(), [NAME, { volume: 1, shard: 9 }, { volume: 12, shard: 3 }])
  await store.dropShard(NAME)
  await rejects(t, contents(shard, 0, 1), 'aborted')
  await rejects(t, shard.flush(), 'aborted')
  await store.setAside({ volume: 12, shard: 3 })
  await store.setAside({ volume: 99, shard: 3 })
  await store.dropShard({ volume: 99, shard: 3 })
  t.deepEqual(await store.stored(), [{ volume: 1, shard: 9 }])
  t.deepEqual(await disk.list('unexplained/12-3-1'), ['layer-1'])
  const fresh = await store.openShard({ volume: 12, shard: 3 }, LAYERS)
  t.deepEqual(await contents(fresh, 0, 1), [0], 'a shard of that name starts afresh')
  await store.setAside({ volume: 12, shard: 3 })
  t.deepEqual(await disk.list('unexplained'), ['12-3-1', '12-3-2'], 'nothing is replaced')
  const dropped = disk.crash()
  const again = await FileBlockStore.open({ clock, disk: dropped, log: silentLog })
  t.deepEqual(await again.stored(), [{ volume: 1, shard: 9 }], 'durably')
  await again.close()
  t.deepEqual(await dropped.list('data'), ['1', 'dirty.log'], 'empty folders are gone')
})

test('dropping a shard with calls and flushes in flight', async t => {
  const clock = new VirtualClock()
  const disk = new SimulatedDisk({ clock, random: new SeededRandom(5) })
  const { store, shard } = await clock.settle('opening', open(disk))
  const calls = [
    stored(() => shard.write(at(0), fill([1, 2]), epoch(1))),
    shard.flush(),
    stored(() => shard.write(at(1), fill([3]), epoch(1))),
    shard.flush(),
    contents(shard, 0, 2),
    shard.indexPage(1, 0),
  ]
  const settled = Promise.allSettled(calls)
  await clock.settle('dropping', store.dropShard(NAME))
  const results = await clock.settle('calls', settled)
  const bad = results.filter(
    result => result.status === 'rejected' && !isSwarmdiskError(result.reason, 'aborted'),
  )
  t.deepEqual(bad, [], 'they end well or with aborted')
  t.deepEqual(await clock.settle('listing', store.stored()), [])
})

test('files that are not what they should be are refused with a sentence', async t => {
  const disk = newDisk()
  const [mine, other] = [clusterId('a'.repeat(32)), clusterId('b'.repeat(32))]
  const { store } = await open(disk, { cluster: mine })
  await store.close()
  await rejects(t, open(disk, { cluster: other }), 'wrong-cluster')
  disk.bitFlip(LAYER, 100)
  await rejects(t, open(disk), 'corrupt')
  disk.bitFlip(LAYER, 100)
  disk.bitFlip(LAYER, 0)
  await rejects(t, open(disk), 'corrupt')
  disk.bitFlip(LAYER, 0)
  await (await open(disk)).store.close()
  await disk.makeFolder('data/1/4')
  await disk.rename(LAYER, 'data/1/4/layer-1')
  const moved = await FileBlockStore.open({ clock, disk, log: silentLog })
  await rejects(t, moved.openShard({ volume: 1, shard: 4 }, LAYERS), 'corrupt')
  await disk.rename('data/1/4/layer-1', 'data/1/4/layer-2')
  await rejects(t, moved.openShard({ volume: 1, shard: 4 }, LAYERS), 'corrupt')
  await moved.close()
  disk.bitFlip('data/dirty.log', 13)
  await rejects(t, FileBlockStore.open({ clock, disk, log: silentLog }), 'corrupt')
})

test('one damaged shard does not keep the others from being recovered', async t => {
  const disk = newDisk()
  const { store, shard } = await open(disk)
  const good = await store.openShard({ volume: 1, shard: 1 }, LAYERS)
  await shard.write(at(0), fill([1]), epoch(1))
  await good.write(at(0), fill([2]), epoch(1))
  const next = disk.restart()
  next.bitFlip(LAYER, 33)
  const again = await FileBlockStore.open({ clock, disk: next, log: silentLog })
  await rejects(t, again.openShard(NAME, LAYERS), 'corrupt')
  t.deepEqual(await contents(await again.openShard({ volume: 1, shard: 1 }, LAYERS), 0, 1), [2])
  await again.close()
  next.bitFlip(LAYER, 33)
  const healed = await open(next)
  t.deepEqual(await contents(healed.shard, 0, 1), [1], 'its regions had stayed in the log')
})

test('a file that was deleted before the process died is not back after a power cut', async t => {
  const disk = newDisk()
  const { shard } = await open(disk)
  await shard.write(at(0), fill([1]), epoch(1))
  await disk.remove(LAYER)
  const second = disk.restart()
  await FileBlockStore.open({ clock, disk: second, log: silentLog })
  const third = second.survivor(second.choices().map(() => 0))
  t.equal(await third.open(LAYER, 'existing'), null, 'its regions are not in the log any more')
})
