// Overlapping requests in the order in which they were made: a table of cases, and a random walk
// against a simple model.
import test from 'tape'
import { RangeOrder, type OrderedRange } from '../../src/client/range-order.js'
import { SeededRandom } from '../simulator/seeded-random.js'

const MiB = 1024 * 1024

/** Calls `start` when the turn of the range comes; returns how to end it. */
function placed(order: RangeOrder, range: OrderedRange, start: () => void): () => void {
  const turn = order.add(range)
  turn.whenCome(start)
  return () => turn.end()
}

test('writes wait for what they overlap, reads for writes', t => {
  const order = new RangeOrder()
  const started: string[] = []
  const add = (name: string, offset: number, length: number) =>
    placed(order, { offset, length, write: name.startsWith('w') }, () => started.push(name))
  const w1 = add('w1', 0, 8)
  const r2 = add('r2', 4, 2)
  const r3 = add('r3', 8, 1)
  const w4 = add('w4', 5, 4)
  const r5 = add('r5', 3, 2)
  t.deepEqual(started, ['w1', 'r3'])
  w1()
  t.deepEqual(started, ['w1', 'r3', 'r2', 'r5'], 'two reads at once')
  r2()
  t.notOk(started.includes('w4'), 'r3 is still under way')
  r3()
  t.ok(started.includes('w4'))
  w4()
  r5()
  r5()
  t.equal(started.length, 5, 'ending twice changes nothing')
  t.end()
})

test('a request that gives up does not let its followers pass those before it', t => {
  const order = new RangeOrder()
  const started: string[] = []
  const add = (name: string, offset: number, length: number) =>
    placed(order, { offset, length, write: true }, () => started.push(name))
  const first = add('first', 0, 4 * MiB)
  const second = add('second', MiB, MiB)
  add('third', MiB + 10, 10)
  second()
  t.deepEqual(started, ['first'])
  first()
  t.deepEqual(started, ['first', 'third'])
  t.end()
})

test('a turn says at once whether it has come, and never starts after its end', t => {
  const order = new RangeOrder()
  const first = order.add({ offset: MiB - 1, length: 2, write: true })
  const other = order.add({ offset: MiB + 1, length: 1, write: true })
  const second = order.add({ offset: 0, length: 2 * MiB, write: false })
  t.deepEqual([first.come, other.come, second.come], [true, true, false])
  let started = 0
  second.whenCome(() => started++)
  first.end()
  t.notOk(second.come, 'two long requests count once, but two requests twice')
  second.end()
  other.end()
  t.equal(started, 0)
  t.ok(order.add({ offset: 0, length: 2 * MiB, write: true }).come, 'nothing is left behind')
  t.end()
})

test('random requests: never two conflicting at once, always the older first', t => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new SeededRandom(seed)
    const order = new RangeOrder()
    const all: { id: number; offset: number; length: number; write: boolean }[] = []
    const running = new Map<number, () => void>()
    const open = new Set<number>()
    const problems: string[] = []
    const conflict = (a: number, b: number) => {
      const [x, y] = [all[a]!, all[b]!]
      if (!x.write && !y.write) return false
      return x.offset < y.offset + y.length && y.offset < x.offset + x.length
    }
    const ends = new Map<number, () => void>()
    for (let step = 0; step < 200; step++) {
      if (random.chance(0.5)) {
        const id = all.length
        const offset = random.below(3 * MiB)
        const length = 1 + random.below(MiB)
        all.push({ id, offset, length, write: random.chance(0.5) })
        open.add(id)
        const end = placed(order, all[id]!, () => {
          for (const other of open) {
            if (other < id && conflict(id, other)) problems.push(`${id} passed ${other}`)
          }
          running.set(id, () => undefined)
        })
        ends.set(id, end)
      } else if (running.size > 0) {
        const id = random.pick([...running.keys()])
        running.delete(id)
        open.delete(id)
        ends.get(id)!()
      }
    }
    while (running.size > 0) {
      const [id] = running.keys()
      running.delete(id!)
      open.delete(id!)
      ends.get(id!)!()
    }
    if (problems.length > 0 || open.size > 0) {
      t.fail(`seed ${seed}: ${problems.join('; ')}; ${open.size} never ran`)
    }
  }
  t.pass('50 seeds')
  t.end()
})
