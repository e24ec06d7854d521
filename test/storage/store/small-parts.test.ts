// The small parts of the block store that the larger tests would only hit by chance.
import test from 'tape'
import { epoch } from '../../../src/base/brands.js'
import { INDEX_ENTRY_BYTES } from '../../../src/base/limits.js'
import { Coalesced } from '../../../src/base/coalesced.js'
import { IndexCache, IndexPage } from '../../../src/storage/store/index-cache.js'
import {
  blockOffset,
  contiguousBlocks,
  decodeEntry,
  encodeEntry,
  isPresent,
  pageOffset,
  pagesOfSize,
  spansOf,
  stateOf,
  ZEROES_CHECKSUM,
} from '../../../src/storage/store/layer-format.js'
import { RangeOrder } from '../../../src/storage/store/range-order.js'

test('Coalesced: whoever asks gets a run that began afterwards', async t => {
  let runs = 0
  let release: () => void = () => undefined
  const task = new Coalesced(() => {
    runs++
    return new Promise(resolve => (release = resolve))
  })
  const first = task.request()
  const [second, third] = [task.request(), task.request()]
  t.equal(second, third, 'shared')
  t.equal(runs, 1)
  t.equal(task.running, first)
  release()
  await first
  await Promise.resolve()
  t.equal(runs, 2)
  release()
  await third
  t.equal(task.running, null)
})

test('Coalesced: a failure is told to those who asked, and the next run is tried', async t => {
  let runs = 0
  const task = new Coalesced(() =>
    ++runs === 1 ? Promise.reject(new Error('no')) : Promise.resolve(),
  )
  const results = await Promise.allSettled([task.request(), task.request()])
  t.deepEqual(
    results.map(result => result.status),
    ['rejected', 'fulfilled'],
  )
})

test('where things are', t => {
  t.equal(pageOffset(0), 4096)
  t.equal(pageOffset(1), 8192)
  t.equal(blockOffset(0), 12_288)
  t.equal(blockOffset(1023), 12_288 + 1023 * 4096)
  t.equal(pageOffset(2), 12_288 + 1024 * 4096)
  t.equal(blockOffset(1024), pageOffset(2) + 8192)
  t.equal(contiguousBlocks(1000, 100), 24)
  t.equal(pagesOfSize(0), 0)
  t.equal(pagesOfSize(4096), 0)
  t.equal(pagesOfSize(4097), 2)
  t.equal(pagesOfSize(pageOffset(2)), 2)
  t.equal(pagesOfSize(pageOffset(2) + 1), 4)
  t.deepEqual(spansOf({ first: 510, last: 1025 }), [
    { page: 0, first: 510, last: 511, at: 0 },
    { page: 1, first: 0, last: 511, at: 2 },
    { page: 2, first: 0, last: 1, at: 514 },
  ])
  t.end()
})

test('entries: eight bytes, little-endian, and what is no entry is told', t => {
  const bytes = new Uint8Array(5 * INDEX_ENTRY_BYTES)
  const view = new DataView(bytes.buffer)
  const highest = { state: 'data', epoch: epoch(2 ** 30 - 1), checksum: 0xfffefdfc } as const
  const zeroes = { state: 'zeroes', epoch: epoch(7), checksum: ZEROES_CHECKSUM } as const
  encodeEntry(bytes, 1, highest)
  encodeEntry(bytes, 2, zeroes)
  t.equal(view.getUint32(8, true), 0xfffffffd)
  t.equal(view.getUint32(12, true), 0xfffefdfc)
  t.deepEqual(decodeEntry(bytes, 1), highest)
  t.deepEqual(decodeEntry(bytes, 2), zeroes)
  const states = (): unknown[] => [0, 1, 2, 3, 4].map(slot => stateOf(bytes, slot))
  const present = (): boolean[] => [0, 1, 2, 3, 4].map(slot => isPresent(bytes, slot))
  t.deepEqual(states(), ['absent', 'data', 'zeroes', 'absent', 'absent'])
  view.setUint32(0, 4, true) // absent, of an epoch
  view.setUint32(2 * 8 + 4, ZEROES_CHECKSUM ^ 1, true)
  view.setUint32(3 * 8, 3, true)
  view.setUint32(4 * 8 + 4, 1, true) // absent, with a checksum
  t.deepEqual(states(), [null, 'data', null, null, null])
  t.deepEqual(present(), [true, true, true, true, true])
  t.equal(decodeEntry(bytes, 4), null)
  t.throws(() => stateOf(bytes, 5), /within their bytes/)
  t.throws(() => encodeEntry(bytes, 5, zeroes), /within their bytes/)
  t.end()
})

test('RangeOrder: reads wait for writes that overlap, not for each other', async t => {
  const order = new RangeOrder()
  const write = order.enter({ first: 0, last: 9 }, 'write')
  const read = order.enter({ first: 9, last: 12 }, 'read')
  t.equal(write.ready, null)
  t.ok(read.ready)
  t.equal(order.enter({ first: 10, last: 10 }, 'read').ready, null)
  t.ok(order.enter({ first: 12, last: 12 }, 'write').ready, 'a write waits for reads')
  const apart = order.enter({ first: 13, last: 13 }, 'write')
  t.equal(apart.ready, null)
  apart.leave()
  let left = false
  const waited = read.ready?.then(() => t.ok(left, 'until it leaves'))
  await Promise.resolve()
  left = true
  write.leave()
  await waited
  t.throws(() => write.leave(), /a turn ends once/)
})

test('IndexCache: a clean page goes that nobody uses', async t => {
  const cache = new IndexCache(2)
  const file = cache.newFile()
  let loads = 0
  const load = (number: number) => () => {
    loads++
    const write = (): Promise<void> => Promise.resolve()
    return Promise.resolve(new IndexPage(number, { bytes: new Uint8Array(4096), write }))
  }
  const pin = (page: number, use: 'once' | 'again' = 'again'): Promise<IndexPage> =>
    cache.pin(file, { page, use, load: load(page) })
  const [one, same] = await Promise.all([pin(1), pin(1)])
  t.equal(one, same, 'loaded once')
  cache.unpin(file, one)
  cache.unpin(file, same)
  const two = await pin(2)
  two.dirty = true
  cache.unpin(file, two)
  const three = await pin(3)
  t.equal(cache.size, 2, 'the clean one went')
  const four = await pin(4)
  t.equal(cache.size, 3, 'pinned and dirty ones stay')
  cache.unpin(file, three)
  cache.unpin(file, four)
  t.equal(cache.pinKnown(file, 9), undefined, 'nothing is loaded for it')
  t.equal(cache.pinKnown(file, 3), three)
  t.equal(three.pins, 1)
  cache.unpin(file, three)
  cache.unpin(file, await pin(5, 'once'))
  t.equal(cache.peek(file, 5), undefined, 'looked at once')
  t.equal(cache.peek(file, 2), two)
  t.equal(loads, 5)
  cache.forget(file)
  t.equal(cache.size, 0)
})

test('IndexCache: what was used since the last look has a second chance', async t => {
  const cache = new IndexCache(3)
  const file = cache.newFile()
  const write = (): Promise<void> => Promise.resolve()
  const touch = async (number: number): Promise<void> => {
    const load = () =>
      Promise.resolve(new IndexPage(number, { bytes: new Uint8Array(4096), write }))
    cache.unpin(file, await cache.pin(file, { page: number, use: 'again', load }))
  }
  const inMemory = (): number[] => [1, 2, 3, 4, 5, 6].filter(n => cache.peek(file, n))
  for (const page of [1, 2, 3]) await touch(page)
  t.ok(cache.use(file, 1))
  t.equal(cache.use(file, 4), undefined)
  await touch(4)
  t.deepEqual(inMemory(), [1, 3, 4], 'the oldest without a use')
  t.ok(cache.use(file, 3))
  await touch(5)
  t.deepEqual(inMemory(), [1, 3, 5], 'the chance of 1 is used up later than that of 4')
  t.ok(cache.use(file, 5) && cache.use(file, 1) && cache.use(file, 3))
  await touch(6)
  t.equal(inMemory().length, 3, 'when all were used, one goes all the same')
  t.ok(cache.peek(file, 6))
})
