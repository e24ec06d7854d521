import test from 'tape'
import { blockIndex, epoch, sequence } from '../../../src/base/brands.js'
import { WriteApplier } from '../../../src/storage/replica/write-applier.js'
import { spanBetween } from '../../../src/storage/replication/block-spans.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'
import { MemoryBlockStore, type MemoryShardStore } from '../memory-block-store.js'

async function setUp(): Promise<{
  readonly clock: VirtualClock
  readonly store: MemoryShardStore
  readonly applier: WriteApplier
  readonly stored: number[]
  /** With each of `stored`, what is durable. */
  readonly durable: number[]
  readonly failures: unknown[]
  readonly push: (n: number, block: number, fill: number, durable?: boolean) => void
}> {
  const clock = new VirtualClock()
  const stores = new MemoryBlockStore(clock, new SeededRandom(3))
  await clock.settle('open', stores.openShard({ volume: 1, shard: 0 }))
  const store = stores.shard(1, 0)
  const stored: number[] = []
  const durable: number[] = []
  const failures: unknown[] = []
  const applier = new WriteApplier({
    store,
    clock,
    stored: upTo => {
      stored.push(upTo.sequence)
      durable.push(upTo.durable)
    },
    failing: error => failures.push(error),
  })
  const push = (n: number, block: number, fill: number, isDurable = false): void => {
    const payload = new Uint8Array(4096).fill(fill)
    const place = { allocation: epoch(5), sequence: sequence(n), block: blockIndex(block) }
    applier.push({ ...place, durable: isDurable, payload })
  }
  return { clock, store, applier, stored, durable, failures, push }
}

test('says how far it is, never more', async t => {
  const { clock, stored, push } = await setUp()
  for (let n = 1; n <= 20; n++) push(n, n, n)
  await clock.until('all stored', () => stored.at(-1) === 20)
  t.deepEqual(
    stored,
    [...stored].sort((a, b) => a - b),
    'in order',
  )
})

test('after a failure everything from there is written again, in order', async t => {
  const { clock, store, stored, failures, push, applier } = await setUp()
  push(1, 0, 1)
  store.failWrites = 1
  push(2, 0, 2)
  push(3, 0, 3)
  let quiet = false
  void applier.quiet(spanBetween(0, 1)).then(() => (quiet = true))
  await clock.until('the failure', () => failures.length > 0)
  push(4, 1, 4)
  t.ok((stored.at(-1) ?? 0) <= 1, 'nothing after the gap counts')
  t.notOk(quiet)
  await clock.until('all stored', () => stored.at(-1) === 4)
  t.equal(store.peek(0).first, 3, 'the later write was not undone')
  t.equal(store.peek(1).first, 4)
  await applier.quiet(null)
  t.ok(quiet)
})

test('quiet is asked for before an earlier write is pushed, in one turn', async t => {
  const { clock, store, stored, failures, push, applier } = await setUp()
  store.failWrites = 1
  // What is merged with the content of this block must not be read before the write is in it.
  let quiet = false
  void applier.quiet(spanBetween(0, 1)).then(() => (quiet = true))
  push(1, 0, 1)
  await clock.until('the failure', () => failures.length > 0)
  t.notOk(quiet, 'it waits for that one')
  await clock.until('it is stored', () => stored.length > 0)
  await applier.quiet(null)
  t.ok(quiet)
})

test('what is discarded is not heard of again', async t => {
  const { clock, store, stored, applier, push } = await setUp()
  store.failWrites = 2
  push(1, 0, 1)
  push(2, 1, 2)
  await clock.advance(20)
  applier.discard()
  await clock.advance(10_000)
  t.deepEqual(stored, [])
  t.equal(store.peek(0).entry.state, 'absent')
  push(9, 0, 9)
  await clock.until('goes on', () => stored.at(-1) === 9)
})

test('a store that writes at once: the same, in one turn', async t => {
  const { clock, store, stored, failures, push } = await setUp()
  store.prompt = true
  push(1, 0, 1)
  t.deepEqual(stored, [1])
  store.failWrites = 2
  push(2, 0, 2)
  push(3, 0, 3)
  push(4, 1, 4)
  t.deepEqual([stored, failures.length], [[1], 1], 'after a failure no more are made')
  await clock.until('the second failure', () => failures.length === 2)
  t.deepEqual([stored, store.peek(1).entry.state], [[1], 'absent'], 'nor after the next one')
  await clock.until('all stored', () => stored.at(-1) === 4)
  t.deepEqual(stored, [1, 2, 3, 4], 'each is written, and said, in its turn')
  t.deepEqual([store.peek(0).first, store.peek(1).first], [3, 4])
})

test('what is to be durable counts as stored when it is durable', async t => {
  for (const prompt of [false, true]) {
    const { clock, store, stored, durable, push } = await setUp()
    store.prompt = prompt
    push(1, 1, 1)
    push(2, 2, 2, true)
    t.deepEqual(stored, prompt ? [1] : [], 'not in this turn')
    push(3, 3, 3)
    await clock.until('stored', () => stored.at(-1) === 3)
    t.equal(Math.max(...durable), 2)
    t.equal(durable[stored.findIndex(n => n >= 2)], 2, 'not before')
    t.equal(store.flushes, 1)
    store.loseUnflushed(new SeededRandom(1))
    t.deepEqual([store.peek(1).first, store.peek(2).first], [1, 2], 'with what came before it')
  }
})

test('what cannot be made durable is stored all the same', async t => {
  const { clock, store, stored, durable, failures, push } = await setUp()
  store.failFlushes = 1
  push(1, 1, 1, true)
  push(2, 2, 2, true)
  await clock.until('stored', () => stored.at(-1) === 2)
  t.deepEqual(failures, [], 'whoever flushes is told')
  t.equal(durable.at(-1), 2, 'the next one was, and what is before it')
  store.failFlushes = 1
  push(3, 3, 3, true)
  await clock.until('stored', () => stored.at(-1) === 3)
  t.equal(durable.at(-1), 0, 'nothing new')
})

test('a write that fails is made durable when it is written again', async t => {
  const { clock, store, stored, durable, push } = await setUp()
  store.failWrites = 1
  push(1, 1, 1, true)
  push(2, 2, 2, true)
  await clock.until('stored', () => stored.at(-1) === 2)
  t.equal(durable.at(-1), 2)
  store.loseUnflushed(new SeededRandom(1))
  t.deepEqual([store.peek(1).first, store.peek(2).first], [1, 2])
})

test('what is discarded while it is written again is not written any more', async t => {
  const clock = new VirtualClock()
  const stores = new MemoryBlockStore(clock, new SeededRandom(3))
  await clock.settle('open', stores.openShard({ volume: 1, shard: 0 }))
  const store = stores.shard(1, 0)
  store.prompt = true
  store.failWrites = 1
  const stored: number[] = []
  const applier = new WriteApplier({
    store,
    clock,
    stored: upTo => {
      stored.push(upTo.sequence)
      applier.discard()
    },
    failing: () => undefined,
  })
  for (const n of [1, 2, 3]) {
    const place = { allocation: epoch(5), sequence: sequence(n), block: blockIndex(n) }
    applier.push({ ...place, durable: false, payload: new Uint8Array(4096).fill(n) })
  }
  await clock.until('the first is stored', () => stored.length > 0)
  await clock.advance(10_000)
  t.deepEqual(stored, [1])
  t.deepEqual(
    [1, 2, 3].map(block => store.peek(block).entry.state),
    ['data', 'absent', 'absent'],
  )
})
