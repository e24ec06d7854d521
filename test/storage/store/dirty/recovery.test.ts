// The checksum rule of design §5, as a table: what the index says, what it said, what the data is.
import test from 'tape'
import { epoch } from '../../../../src/base/brands.js'
import type { IndexEntry } from '../../../../src/storage/shard-store.js'
import { decideBlock } from '../../../../src/storage/store/dirty/recovery.js'

const OF: Readonly<Record<string, number>> = { old: 11, middle: 22, new: 33 }

function entry(name: string): IndexEntry | null {
  if (name === 'invalid') return null
  if (name === 'absent') return { state: 'absent', epoch: epoch(0), checksum: 0 }
  if (name === 'zeroes') return { state: 'zeroes', epoch: epoch(2), checksum: 0 }
  return { state: 'data', epoch: epoch(3), checksum: OF[name]! }
}

test('every block of a dirty region is decided by its checksum', t => {
  const table: readonly (readonly [current: string, undo: string, data: string, is: string])[] = [
    ['new', 'old', 'new', 'new'],
    ['new', 'old', 'old', 'old'],
    ['new', 'old', 'middle', 'middle'],
    ['new', 'absent', 'middle', 'absent'],
    ['new', 'zeroes', 'middle', 'zeroes'],
    ['old', 'old', 'old', 'old'],
    ['old', 'old', 'new', 'new'],
    ['zeroes', 'old', 'old', 'zeroes'],
    ['absent', 'absent', 'new', 'absent'],
    ['zeroes', 'zeroes', 'new', 'zeroes'],
    ['invalid', 'old', 'old', 'old'],
    ['invalid', 'old', 'new', 'new'],
    ['invalid', 'absent', 'new', 'absent'],
    ['invalid', 'invalid', 'new', 'new'],
  ]
  for (const [current, undo, data, is] of table) {
    const decided = decideBlock({
      current: entry(current),
      undo: entry(undo),
      checksum: OF[data]!,
    })
    const expected = entry(is)!
    const same = decided.state === expected.state && decided.checksum === expected.checksum
    t.ok(same, `index ${current}, before ${undo}, data ${data}: ${is}`)
  }
  t.end()
})
