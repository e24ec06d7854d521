// What a write-back cache holds: whatever is written, sent and decided in whatever order, a reader
// that puts what is held over what the servers have sees the newest of each byte.
import test from 'tape'
import { byteCount, byteOffset } from '../../../src/base/brands.js'
import { BLOCK_BYTES } from '../../../src/base/limits.js'
import { CachedBlocks, type Run } from '../../../src/client/write-back/cached-blocks.js'
import { addSpan, covers, isWhole } from '../../../src/client/write-back/spans.js'
import { SeededRandom } from '../../simulator/seeded-random.js'

const BLOCKS = 6
const SIZE = BLOCKS * BLOCK_BYTES

const range = (offset: number, length: number) => ({
  offset: byteOffset(offset),
  length: byteCount(length),
})

test('spans that touch become one, others stay apart', t => {
  const spans = (...pairs: [number, number][]) => pairs.map(([from, to]) => ({ from, to }))
  const cases: [[number, number][], [number, number], [number, number][]][] = [
    [[], [3, 5], [[3, 5]]],
    [[[3, 5]], [7, 9], [[3, 5], [7, 9]]], // prettier-ignore
    [[[3, 5]], [5, 9], [[3, 9]]],
    [[[3, 5]], [0, 3], [[0, 5]]],
    [[[3, 5], [7, 9]], [4, 8], [[3, 9]]], // prettier-ignore
    [[[3, 5], [7, 9]], [0, 1], [[0, 1], [3, 5], [7, 9]]], // prettier-ignore
    [
      [
        [3, 5],
        [7, 9],
      ],
      [0, BLOCK_BYTES],
      [[0, BLOCK_BYTES]],
    ],
  ]
  for (const [before, [from, to], after] of cases) {
    t.deepEqual(addSpan(spans(...before), { from, to }), spans(...after))
  }
  t.ok(covers(spans([3, 9]), { from: 3, to: 9 }))
  t.notOk(covers(spans([3, 5], [6, 9]), { from: 4, to: 7 }))
  t.ok(isWhole(spans([0, BLOCK_BYTES])))
  t.notOk(isWhole(spans([1, BLOCK_BYTES])))
  t.end()
})

/** Servers that take runs and carry them out when they like. */
class Play {
  readonly blocks = new CachedBlocks()
  readonly written = Buffer.alloc(SIZE)
  readonly servers = Buffer.alloc(SIZE)
  readonly #random: SeededRandom
  #underWay: Run[] = []
  #value = 0

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
  }

  step(): void {
    const chance = this.#random.below(10)
    if (chance < 5) this.#write()
    else if (chance < 7) this.#take()
    else if (chance < 9) this.#decide()
  }

  drain(): void {
    while (this.blocks.size > 0) {
      this.#take()
      this.#decide()
    }
  }

  /** A part of it, as a reader would see it. */
  read(): { readonly seen: Buffer; readonly right: Buffer; readonly alone: boolean } {
    const [offset, length] = this.#range()
    const seen = Buffer.from(this.servers.subarray(offset, offset + length))
    const held = this.blocks.look(range(offset, length))
    if (held?.whole) seen.fill(0xee)
    held?.over(seen)
    const alone = held?.whole ?? false
    return { seen, right: this.written.subarray(offset, offset + length), alone }
  }

  #range(): readonly [number, number] {
    const unit = this.#random.pick([1, 512, BLOCK_BYTES])
    const units = SIZE / unit
    const first = this.#random.below(units)
    const count = 1 + this.#random.below(Math.min(units - first, (2 * BLOCK_BYTES) / unit))
    return [first * unit, count * unit]
  }

  #write(): void {
    const [offset, length] = this.#range()
    const data = Buffer.alloc(length, ++this.#value % 251)
    const before = this.blocks.size
    const more = this.blocks.write(offset, data)
    if (this.blocks.size !== before + more) throw new Error('it says how much it has grown')
    data.copy(this.written, offset)
    data.fill(0) // the caller's again
  }

  #take(): void {
    const limit = 1 + this.#random.below(3)
    const run = this.blocks.takeOldest(limit)
    if (run === null) return
    if (run.pieces.length > limit) throw new Error('more than was asked for')
    this.#underWay.push(run)
  }

  #decide(): void {
    const [run] = this.#underWay.splice(this.#random.below(this.#underWay.length || 1), 1)
    if (!run) return
    for (const { offset, bytes } of run.writes) this.servers.set(bytes, offset)
    this.blocks.decided(run)
  }
}

test('a reader sees the newest of each byte, wherever it is', t => {
  let alone = 0
  for (let seed = 1; seed <= 60; seed++) {
    const play = new Play(seed)
    let wrong = 0
    for (let i = 0; i < 300; i++) {
      play.step()
      const { seen, right, alone: whole } = play.read()
      if (!seen.equals(right)) wrong++
      if (whole) alone++
    }
    play.drain()
    if (wrong > 0 || !play.servers.equals(play.written)) t.fail(`seed ${seed}: ${wrong} reads`)
  }
  t.ok(alone > 1_000, `${alone} reads needed no server`)
  t.end()
})

test('what is looked at stays what it was, also when the servers have got it meanwhile', t => {
  const blocks = new CachedBlocks()
  blocks.write(0, Buffer.alloc(BLOCK_BYTES, 1))
  const held = blocks.look(range(0, BLOCK_BYTES))
  const run = blocks.takeOldest(1)!
  blocks.decided(run)
  t.equal(blocks.look(range(0, BLOCK_BYTES)), null)
  const into = Buffer.alloc(BLOCK_BYTES)
  held?.over(into)
  t.ok(into.equals(Buffer.alloc(BLOCK_BYTES, 1)))
  t.end()
})

test('of one block one write is under way at a time', t => {
  const blocks = new CachedBlocks()
  blocks.write(0, Buffer.alloc(BLOCK_BYTES, 1))
  const first = blocks.takeOldest(8)!
  blocks.write(0, Buffer.alloc(BLOCK_BYTES, 2))
  blocks.write(BLOCK_BYTES, Buffer.alloc(BLOCK_BYTES, 3))
  const second = blocks.takeOldest(8)!
  t.equal(second.writes[0]?.offset, BLOCK_BYTES, 'others go on')
  t.equal(blocks.takeOldest(8), null)
  blocks.decided(first)
  t.equal(blocks.takeOldest(8)?.writes[0]?.bytes[0], 2)
  t.end()
})

test('whoever waits, waits for what was there, and not for what comes later', t => {
  const blocks = new CachedBlocks()
  const done: string[] = []
  blocks.whenDecided(() => done.push('nothing'))
  t.deepEqual(done, ['nothing'], 'there was nothing')
  blocks.write(0, Buffer.alloc(BLOCK_BYTES, 1))
  blocks.write(4 * BLOCK_BYTES, Buffer.alloc(BLOCK_BYTES, 1))
  const sent = blocks.takeOldest(1)!
  blocks.whenDecided(() => done.push('range'), range(10, 1))
  blocks.whenDecided(() => done.push('all'))
  blocks.write(0, Buffer.alloc(BLOCK_BYTES, 2))
  t.equal(blocks.takeWanted(8)?.writes[0]?.offset, 4 * BLOCK_BYTES)
  t.equal(blocks.takeWanted(8), null, 'nobody waits for what was written later')
  blocks.decided(sent)
  t.deepEqual(done, ['nothing', 'range'])
  t.end()
})
