import test from 'tape'
import {
  FIRST_LAYER,
  freeze,
  headOf,
  layersProblem,
  prune,
  rollBack,
  type LayerRecord,
} from '../../src/layout/layers.js'
import { chainFrom, ownerOf } from '../../src/snapshot/chain.js'
import { streamOf } from '../simulator/seeded-random.js'

function frozen(times: number): readonly LayerRecord[] {
  let layers: readonly LayerRecord[] = [FIRST_LAYER]
  for (let i = 0; i < times; i++) layers = freeze(layers)
  return layers
}

const ids = (layers: readonly LayerRecord[]): number[] => layers.map(({ id }) => id)

test('a frozen head is the parent of the next one', t => {
  const layers = frozen(2)
  t.deepEqual(ids(layers), [1, 2, 3])
  t.deepEqual(ids(chainFrom(layers, 3)), [3, 2, 1], 'a read looks from the newest to the oldest')
  t.deepEqual(ids(chainFrom(layers, 2)), [2, 1], 'one of a snapshot begins at its layer')
  t.end()
})

test('a layer that nobody names is absorbed by its only child', t => {
  const layers = prune(frozen(3), new Set([1, 3]))
  t.deepEqual(ids(layers), [1, 3, 4])
  t.deepEqual(layers[1], { id: 3, parent: 1, covers: [{ first: 2, last: 3 }] })
  t.equal(ownerOf(layers, 2)?.id, 3, 'what it held is part of that child')
  const one = prune(layers, new Set())
  t.deepEqual(one, [{ id: 4, parent: 0, covers: [{ first: 1, last: 4 }] }], 'at last all are one')
  t.end()
})

test('a rollback puts a new head on the snapshot, and the old head goes', t => {
  const layers = rollBack(frozen(2), { to: 1, named: new Set([1, 2]) })
  t.deepEqual(ids(layers), [1, 2, 4])
  t.equal(headOf(layers).parent, 1)
  t.equal(ownerOf(layers, 3), null, 'of the old head nothing is left')
  const without = rollBack(frozen(2), { to: 1, named: new Set([1]) })
  t.deepEqual(ids(without), [1, 4], 'nor of what only the old head needed')
  t.end()
})

test('a layer with two children stays, named or not, until one of them goes', t => {
  const forked = rollBack(frozen(2), { to: 1, named: new Set([1, 2]) })
  t.deepEqual(ids(prune(forked, new Set([2]))), [1, 2, 4])
  const linear = prune(forked, new Set())
  t.deepEqual(linear, [
    {
      id: 4,
      parent: 0,
      covers: [
        { first: 1, last: 1 },
        { first: 4, last: 4 },
      ],
    },
  ])
  t.equal(ownerOf(linear, 2), null)
  t.end()
})

test('the content that is read stays the same, whatever is frozen, rolled back and deleted', t => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = streamOf(seed, 'layers')
    let layers: readonly LayerRecord[] = [FIRST_LAYER]
    let named = new Set<number>()
    // What each number once held, and what is seen from each named layer: one value for a block.
    const held = new Map<number, Map<number, number>>()
    const view = new Map<number, Map<number, number>>()
    let head = new Map<number, number>()
    let value = 0
    for (let step = 0; step < 40; step++) {
      const at = headOf(layers).id
      const choice = random.below(10)
      if (choice < 5) {
        const block = random.below(4)
        head.set(block, ++value)
        held.set(at, (held.get(at) ?? new Map<number, number>()).set(block, value))
      } else if (choice < 7) {
        named = new Set([...named, at])
        view.set(at, new Map(head))
        layers = freeze(layers)
      } else if (named.size > 0) {
        const one = random.pick([...named])
        if (choice === 7) {
          layers = rollBack(layers, { to: one, named })
          head = new Map(view.get(one))
        } else {
          named = new Set([...named].filter(id => id !== one))
          layers = prune(layers, named)
        }
      }
      const problem = layersProblem(layers)
      if (problem !== null) return t.end(`seed ${seed}: ${problem}`)
      // As a server that has never merged anything would read it: newest number first.
      const seen = (id: number): Map<number, number> => {
        const found = new Map<number, number>()
        for (const { covers } of chainFrom(layers, id)) {
          for (const { first, last } of [...covers].reverse()) {
            for (let n = last; n >= first; n--) {
              for (const [k, v] of held.get(n) ?? []) if (!found.has(k)) found.set(k, v)
            }
          }
        }
        return found
      }
      const sorted = (map: Map<number, number> | undefined): string =>
        JSON.stringify([...(map ?? [])].sort(([a], [b]) => a - b))
      const views = [
        [headOf(layers).id, head] as const,
        ...[...named].map(id => [id, view.get(id)] as const),
      ]
      for (const [id, expected] of views) {
        if (sorted(seen(id)) === sorted(expected)) continue
        return t.end(`seed ${seed}: layer ${id} reads ${sorted(seen(id))}`)
      }
    }
  }
  t.pass('300 histories')
  t.end()
})
