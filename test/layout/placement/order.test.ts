import test from 'tape'
import { Order } from '../../../src/layout/placement/order.js'
import { SeededRandom } from '../../simulator/seeded-random.js'

test('items come in the order of their scores, equal ones as they were', t => {
  const random = new SeededRandom(3)
  for (const count of [0, 1, 1000, 1024, 1025, 20_000]) {
    // Few different scores, so that many are equal, and the least and greatest that there may be.
    const scores = [
      2 ** -53,
      1 - 2 ** -53,
      ...Array.from({ length: 97 }, () => random.below(1e6) / 1e6),
    ]
    const items = Array.from({ length: count }, (_, i) => ({ i, score: random.pick(scores) }))
    const order = new Order(items, ({ score }) => score)
    const sorted = [...items].sort((a, b) => a.score - b.score)
    const first: typeof items = []
    for (const item of order.items()) {
      if (first.length >= count / 3) break
      first.push(item)
    }
    t.deepEqual(first, sorted.slice(0, first.length), `the first ones of ${count}`)
    t.ok(
      [...order.items()].every((item, i) => item === sorted[i]),
      'and then all of them',
    )
  }
  t.end()
})
