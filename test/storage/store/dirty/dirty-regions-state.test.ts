// The life of a dirty region, and that its undo page is right for every block at every moment.
import test from 'tape'
import { epoch } from '../../../../src/base/brands.js'
import {
  DirtyRegions,
  type DirtyRegion,
} from '../../../../src/storage/store/dirty/dirty-regions-state.js'
import {
  decodeEntry,
  encodeEntry,
  INDEX_PAGE_BYTES,
  type Span,
} from '../../../../src/storage/store/layer-format.js'

const span = (first: number, last = first): Span => ({ page: 4, first, last, at: 0 })

/** Every block carries the same checksum. */
function pageOf(checksum: number): Uint8Array {
  const page = new Uint8Array(INDEX_PAGE_BYTES)
  for (let slot = 0; slot < 512; slot++) {
    encodeEntry(page, slot, { state: 'data', epoch: epoch(1), checksum })
  }
  return page
}

function undoOf(page: Uint8Array | null, slot: number): number | undefined {
  return page ? decodeEntry(page, slot)?.checksum : undefined
}

/** A write of these blocks that goes on, in a region that was logged with checksums of 1. */
function writing(regions: DirtyRegions, where: Span): { list: DirtyRegion[]; region: DirtyRegion } {
  const { regions: list } = regions.enter([where])
  const region = list[0]!
  region.takeUndo(pageOf(1))
  region.logged = true
  region.touched.addRange(where)
  return { list, region }
}

test('a region is logged before its first write, and may leave after the flush', t => {
  const regions = new DirtyRegions()
  const { regions: list, flushing } = regions.enter([span(3)])
  const region = list[0]!
  t.notOk(flushing)
  t.ok(region.mustLog(span(3)))
  region.takeUndo(pageOf(1))
  region.logged = true
  t.notOk(region.mustLog(span(5)), 'one record serves all its blocks')
  region.touched.addRange(span(3))
  t.ok(regions.beginFlush())
  regions.leave(list)
  t.deepEqual(regions.forget('clean'), [], 'being flushed')
  regions.endFlush()
  t.notOk(regions.beginFlush(), 'nothing to flush')
  t.deepEqual(regions.forget('clean'), [4])
  t.equal(regions.find(4), undefined)
  t.end()
})

test('a clean region that stays is right for the blocks that were not written', t => {
  const regions = new DirtyRegions()
  const { list, region } = writing(regions, span(3))
  regions.leave(list)
  regions.beginFlush()
  regions.endFlush()
  t.equal(regions.enter([span(5)]).regions[0], region)
  t.notOk(region.mustLog(span(5)), 'durable as the undo page has it')
  t.ok(region.mustLog(span(3)), 'durable since the undo page was logged')
  t.end()
})

test('a region leaves when nobody has written it for a while', t => {
  const regions = new DirtyRegions()
  const write = (): void => {
    regions.leave(regions.enter([span(3)]).regions)
  }
  write()
  t.deepEqual(regions.forget('unused'), [])
  t.deepEqual(regions.forget('unused'), [], 'dirty')
  regions.beginFlush()
  regions.endFlush()
  write()
  regions.beginFlush()
  regions.endFlush()
  t.deepEqual(regions.forget('unused'), [], 'written since it was last asked')
  t.deepEqual(regions.forget('unused'), [4])
  t.end()
})

test('a write into what is being flushed waits, and then needs a new undo entry', t => {
  const regions = new DirtyRegions()
  const { list, region } = writing(regions, span(0, 9))
  regions.beginFlush()
  t.notOk(regions.enter([span(10, 20)]).flushing, 'beside it: goes on')
  region.touched.addRange(span(10, 20))
  t.ok(regions.enter([span(9, 10)]).flushing, 'into it: waits')
  regions.leave(list)
  regions.endFlush()
  t.deepEqual(regions.forget('clean'), [], 'others still write')
  t.ok(region.mustLog(span(9)), 'durable now: the old undo entry is too old')
  t.notOk(region.mustLog(span(10, 20)), 'not durable yet: it still counts')
  const undo = region.takeUndo(pageOf(2))
  t.deepEqual([undoOf(undo, 9), undoOf(undo, 10), undoOf(undo, 30)], [2, 1, 2])
  t.notOk(region.logged, 'until the log has it')
  t.end()
})

test('a flush that failed made nothing durable', t => {
  const regions = new DirtyRegions()
  const { list, region } = writing(regions, span(1))
  regions.leave(list)
  regions.beginFlush()
  regions.abortFlush()
  t.notOk(regions.enter([span(1)]).flushing)
  t.notOk(region.mustLog(span(1)), 'its undo entry still counts')
  regions.leave([region])
  t.ok(regions.beginFlush(), 'the next flush covers it')
  regions.endFlush()
  t.deepEqual(regions.forget('clean'), [4])
  t.end()
})

test('a page without entries is remembered as such', t => {
  const region = new DirtyRegions().add(4)
  t.equal(region.takeUndo(new Uint8Array(INDEX_PAGE_BYTES)), null)
  region.touched.addRange(span(7))
  const undo = region.takeUndo(pageOf(3))
  t.equal(undo && decodeEntry(undo, 7)?.state, 'absent')
  t.equal(undoOf(undo, 8), 3)
  t.end()
})

test('a write that begins at once: only where nothing has to be waited for', t => {
  const regions = new DirtyRegions()
  t.notOk(regions.touchNow(span(1)), 'the region is not known')
  const { list, region } = writing(regions, span(1))
  region.logging = Promise.resolve()
  t.notOk(regions.touchNow(span(2)), 'it is being logged')
  region.logging = null
  t.ok(regions.touchNow(span(2, 3)))
  regions.leave(list)
  t.ok(regions.beginFlush(), 'the next flush covers it')
  t.notOk(regions.touchNow(span(3)), 'it would go into the flush in progress')
  t.ok(regions.touchNow(span(4)), 'this one would not')
  t.ok(region.touched.has(4))
  regions.endFlush()
  t.notOk(regions.touchNow(span(2)), 'durable now: the region has to be logged again')
  t.deepEqual(regions.forget('clean'), [], 'a write was called')
  t.ok(regions.beginFlush())
  regions.endFlush()
  t.deepEqual(regions.forget('clean'), [4])
  t.end()
})
