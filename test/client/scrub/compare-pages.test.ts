// Which page comes next, and where pages differ.
import test from 'tape'
import { blockIndex, epoch } from '../../../src/base/brands.js'
import { FETCH_BLOCKS_MAX } from '../../../src/base/limits.js'
import {
  differingSlots,
  nextStep,
  spansOfBlocks,
  type Position,
} from '../../../src/client/scrub/compare-pages.js'
import { encodeEntry } from '../../../src/storage/store/layer-format.js'
import type { IndexEntry } from '../../../src/storage/shard-store.js'

const at = (page: number): Position => ({ page, found: true })
const before = (page: number): Position => ({ page, found: false })

test('the next step, from what replicas have said', t => {
  const cases: readonly [string, readonly Position[], ReturnType<typeof nextStep>][] = [
    ['one replica', [at(3)], { kind: 'compare', page: 3, holders: [0] }],
    ['all have the same page', [at(3), at(3)], { kind: 'compare', page: 3, holders: [0, 1] }],
    ['one passed over it', [at(3), at(7)], { kind: 'compare', page: 3, holders: [0] }],
    ['the other did', [at(7), at(3)], { kind: 'compare', page: 3, holders: [1] }],
    ['one has nothing at all', [at(3), before(16)], { kind: 'compare', page: 3, holders: [0] }],
    ['one has looked no further', [at(7), before(5)], { kind: 'go', page: 5 }],
    ['one stopped just before it', [at(5), before(5)], { kind: 'ask', page: 5, who: [1] }],
    ['two did', [before(5), at(5), before(5)], { kind: 'ask', page: 5, who: [0, 2] }],
    ['nobody has anything', [before(16), before(16)], { kind: 'go', page: 16 }],
  ]
  for (const [name, positions, expected] of cases) {
    t.deepEqual(nextStep(new Map(positions.entries())), expected, name)
  }
  t.end()
})

const data = (checksum: number, written = 5): IndexEntry => ({
  ...{ state: 'data', epoch: epoch(written), checksum },
})

function page(entries: Readonly<Record<number, IndexEntry>>): Uint8Array {
  const bytes = new Uint8Array(4096)
  for (const [slot, entry] of Object.entries(entries)) encodeEntry(bytes, Number(slot), entry)
  return bytes
}

test('where pages differ', t => {
  const zeroes: IndexEntry = { state: 'zeroes', epoch: epoch(5), checksum: 0 }
  const none = new Uint8Array(0)
  const full = page({ 0: data(1), 9: data(2), 511: data(3) })
  const cases: readonly [string, readonly Uint8Array[], readonly number[]][] = [
    ['no page', [], []],
    ['one replica', [full], []],
    ['equal', [full, page({ 0: data(1), 9: data(2), 511: data(3) })], []],
    ['no bytes are an empty page', [none, page({})], []],
    ['another checksum', [full, page({ 0: data(1), 9: data(4), 511: data(3) })], [9]],
    ['another epoch', [full, page({ 0: data(1, 6), 9: data(2), 511: data(3) })], [0]],
    ['another state', [page({ 7: zeroes }), page({ 7: data(0) })], [7]],
    ['absent', [full, page({ 9: data(2) })], [0, 511]],
    ['a whole page is missing', [none, full], [0, 9, 511]],
    ['the third one differs', [full, full, page({ 0: data(1), 9: data(2) })], [511]],
    ['each differs elsewhere', [page({}), page({ 1: data(1) }), page({ 2: data(1) })], [1, 2]],
  ]
  for (const [name, pages, expected] of cases) {
    t.deepEqual(differingSlots(pages), expected, name)
    // A page is a view into a frame, anywhere in it.
    const views = pages.map(bytes => {
      const frame = new Uint8Array(bytes.length + 3)
      frame.set(bytes, 3)
      return frame.subarray(3)
    })
    t.deepEqual(differingSlots(views), expected, `${name}, as views`)
  }
  t.end()
})

test('neighbours are asked about together', t => {
  const span = (block: number, blocks: number) => ({ block: blockIndex(block), blocks })
  t.deepEqual(spansOfBlocks([]), [])
  t.deepEqual(spansOfBlocks([7]), [span(7, 1)])
  t.deepEqual(spansOfBlocks([9, 7, 8, 20]), [span(7, 3), span(20, 1)])
  const many = Array.from({ length: FETCH_BLOCKS_MAX + 2 }, (_, i) => 100 + i)
  t.deepEqual(spansOfBlocks(many), [span(100, FETCH_BLOCKS_MAX), span(100 + FETCH_BLOCKS_MAX, 2)])
  t.end()
})
