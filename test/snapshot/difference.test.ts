// Which layers lie between two points in time, against a model that keeps the content of each.
import test from 'tape'
import {
  FIRST_LAYER,
  freeze,
  headOf,
  prune,
  rollBack,
  type LayerRecord,
} from '../../src/layout/layers.js'
import { chainFrom, ownerOf } from '../../src/snapshot/chain.js'
import { layersBetween } from '../../src/snapshot/difference.js'
import { streamOf, type SeededRandom } from '../simulator/seeded-random.js'

const BLOCKS = 12

test('along one line, across a rollback, and from nothing', t => {
  const frozen = freeze(freeze(freeze([FIRST_LAYER])))
  const named = new Set([1, 2, 3])
  t.deepEqual(layersBetween(frozen, { from: 1, to: 3 }), { layers: [3, 2], straight: true })
  t.deepEqual(layersBetween(frozen, { from: 3, to: 1 }), { layers: [3, 2], straight: false })
  t.deepEqual(layersBetween(frozen, { from: 2, to: 2 }), { layers: [], straight: true })
  t.deepEqual(layersBetween(frozen, { from: null, to: 2 }), { layers: [2, 1], straight: true })
  const back = freeze(rollBack(frozen, { to: 1, named }))
  const head = headOf(back).id
  const fork = head - 1
  t.deepEqual(layersBetween(back, { from: 3, to: fork }), {
    layers: [fork, 3, 2],
    straight: false,
  })
  t.deepEqual(layersBetween(back, { from: 1, to: head }), { layers: [head, fork], straight: true })
  const spare = prune(back, new Set([1, 3, fork]))
  t.deepEqual(layersBetween(spare, { from: 1, to: 3 }), { layers: [3], straight: true })
  t.end()
})

/** A volume of a few blocks: what each layer file holds, and what each snapshot must show. */
class Model {
  layers: readonly LayerRecord[] = [FIRST_LAYER]
  readonly named = new Set<number>()
  readonly #files = new Map<number, Map<number, number>>()
  readonly shown = new Map<number, readonly number[]>()
  #content: readonly number[] = new Array<number>(BLOCKS).fill(0)
  #next = 1

  write(block: number, zero: boolean): void {
    const value = zero ? 0 : this.#next++
    const head = headOf(this.layers).id
    const file = this.#files.get(head) ?? new Map<number, number>()
    this.#files.set(head, file.set(block, value))
    this.#content = this.#content.map((old, i) => (i === block ? value : old))
  }

  snapshot(): void {
    const { id } = headOf(this.layers)
    this.named.add(id)
    this.shown.set(id, this.#content)
    this.layers = freeze(this.layers)
  }

  remove(layer: number): void {
    this.named.delete(layer)
    this.shown.delete(layer)
    this.layers = prune(this.layers, this.named)
  }

  rollBack(to: number): void {
    this.layers = rollBack(this.layers, { to, named: this.named })
    this.#content = this.shown.get(to) ?? []
  }

  /** What the layer holds itself, with all that it has absorbed; undefined: nothing. */
  held(layer: number, block: number): number | undefined {
    const files = [...this.#files].filter(([n]) => ownerOf(this.layers, n)?.id === layer)
    const newest = files.sort(([a], [b]) => b - a).find(([, file]) => file.has(block))
    return newest?.[1].get(block)
  }

  seen(layer: number, block: number): number {
    for (const { id } of chainFrom(this.layers, layer)) {
      const held = this.held(id, block)
      if (held !== undefined) return held
    }
    return 0
  }
}

function step(model: Model, random: SeededRandom): void {
  const named = [...model.named]
  if (random.chance(0.6)) return model.write(random.below(BLOCKS), random.chance(0.3))
  if (named.length < 6 && random.chance(0.6)) return model.snapshot()
  if (named.length === 0) return
  if (random.chance(0.5)) model.rollBack(random.pick(named))
  else model.remove(random.pick(named))
}

test('whatever differs is held between them, and on a straight way is what the first has', t => {
  const wrong: string[] = []
  let forks = 0
  for (let seed = 1; seed <= 60; seed++) {
    const random = streamOf(seed, 'difference')
    const model = new Model()
    for (let i = 0; i < 60; i++) step(model, random)
    for (const to of model.named) {
      for (const from of [null, ...model.named]) {
        const { layers, straight } = layersBetween(model.layers, { from, to })
        if (!straight) forks++
        for (let block = 0; block < BLOCKS; block++) {
          const before = from === null ? 0 : model.shown.get(from)![block]!
          const after = model.shown.get(to)![block]!
          const held = layers.map(id => model.held(id, block)).find(value => value !== undefined)
          const place = `seed ${seed}: block ${block} from ${from} to ${to}`
          if (model.seen(to, block) !== after) wrong.push(`${place}: the model itself`)
          if (held === undefined && before !== after) wrong.push(`${place}: missed`)
          if (held !== undefined && straight && held !== after) wrong.push(`${place}: content`)
        }
      }
    }
  }
  t.deepEqual(wrong.slice(0, 5), [])
  t.ok(forks > 100, 'with many forks among them')
  t.end()
})
