// What was recorded is what is judged: the calls of several clients, cut into blocks, with the
// times at which they began and ended.
import test from 'tape'
import { VirtualClock } from '../virtual-clock.js'
import { Histories } from './histories.js'
import { SECTORS_PER_BLOCK, type Sectors } from './volume-model.js'

const BLOCK: Sectors = { first: 3 * SECTORS_PER_BLOCK, count: SECTORS_PER_BLOCK }

function recorder() {
  const clock = new VirtualClock()
  return { clock, histories: new Histories(clock) }
}

function whole(value: number): number[] {
  return new Array<number>(SECTORS_PER_BLOCK).fill(value)
}

test('a stale read of another client is found', async t => {
  const { clock, histories } = recorder()
  const written = histories.write('one', BLOCK, 1)
  await clock.advance(1)
  written()
  await clock.advance(1)
  const read = histories.read('two', BLOCK)
  await clock.advance(1)
  read(whole(0))
  const [title = '', ...near] = histories.findings()
  t.match(title, /^I1: block 3 is not linearizable: two read 0-7 = 0 .* \[2\.000, 3\.000\]$/)
  t.match(near.join('\n'), /one write 0-7 = 1 .* \[0\.000, 1\.000\]/, 'with what contradicts it')
})

test('a read beside the write may be old or new', async t => {
  for (const value of [0, 1]) {
    const { clock, histories } = recorder()
    const written = histories.write('one', BLOCK, 1)
    const read = histories.read('two', BLOCK)
    await clock.advance(1)
    read(whole(value))
    await clock.advance(1)
    written()
    t.deepEqual(histories.findings(), [], `${value}`)
  }
})

test('a write that never ended may have happened, but not be undone', async t => {
  const { clock, histories } = recorder()
  histories.write('one', BLOCK, 1)
  for (const value of [0, 1]) {
    await clock.advance(1)
    const read = histories.read('two', BLOCK)
    await clock.advance(1)
    read(whole(value))
  }
  t.deepEqual(histories.findings(), [], 'old, then new')
  await clock.advance(1)
  const back = histories.read('three', BLOCK)
  await clock.advance(1)
  back(whole(0))
  t.equal(histories.findings().length, 1 + 4, 'then old again')
})

test('a call over several blocks is one call for each of them', async t => {
  const { clock, histories } = recorder()
  const range = { first: SECTORS_PER_BLOCK - 2, count: 4 }
  const written = histories.write('one', range, 1)
  await clock.advance(1)
  written()
  t.equal(histories.calls, 2)
  await clock.advance(1)
  const read = histories.read('two', range)
  await clock.advance(1)
  read([1, 1, 1, 0])
  const titles = histories.findings().filter(line => line.startsWith('I1'))
  t.equal(titles.length, 1, 'each block is judged by itself')
  t.match(titles[0] ?? '', /block 1 .* two read 0-1 = 1 0 /)
})
