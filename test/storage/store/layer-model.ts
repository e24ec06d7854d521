// What a shard store with layers may hold: for every layer and block the values put there in the
// order of the calls, and how far flushes have made them durable. A block is filled with one byte;
// 0 is a mark of zeroes, null is absent. Layers that are absorbed are expected to be durable.
import { blockIndex, epoch } from '../../../src/base/brands.js'
import { BLOCK_BYTES, BLOCKS_PER_INDEX_PAGE } from '../../../src/base/limits.js'
import { headOf, type LayerRecord } from '../../../src/layout/layers.js'
import { chainFrom } from '../../../src/snapshot/chain.js'
import type { IndexEntry, ShardStore } from '../../../src/storage/shard-store.js'
import { copiedBlocks, writtenBlocks } from '../../../src/storage/store/block-runs.js'
import { decodeEntry } from '../../../src/storage/store/layer-format.js'
import { fill, stored } from './block-model.js'

export type Value = number | null

interface History {
  values: Value[]
  /** The oldest of `values` that may still be found after a crash. */
  floor: number
  /** The newest of `values` whose call was acknowledged. */
  acknowledged: number
}

type Content = Map<number, History>
/** For every layer and block what may be found there. */
export type Allowed = ReadonlyMap<number, ReadonlyMap<number, ReadonlySet<Value>>>
export type Found = ReadonlyMap<number, ReadonlyMap<number, Value>>

export class LayerModel {
  readonly blocks: readonly number[]
  #layers: readonly LayerRecord[]
  readonly #content = new Map<number, Content>()

  constructor(blocks: readonly number[], layers: readonly LayerRecord[], found?: Found) {
    this.blocks = blocks
    this.#layers = layers
    for (const { id } of layers) {
      this.#content.set(
        id,
        this.#fresh(block => found?.get(id)?.get(block) ?? null),
      )
    }
  }

  get layers(): readonly LayerRecord[] {
    return this.#layers
  }

  /** The newest values of these layers: what a clone of them begins with. */
  contentOf(layers: readonly LayerRecord[]): Found {
    return new Map(
      layers.map(({ id }) => {
        const content = [...this.#content.get(id)!]
        return [id, new Map(content.map(([block, { values }]) => [block, values.at(-1)!]))]
      }),
    )
  }

  get head(): number {
    return headOf(this.#layers).id
  }

  // ---- calls ------------------------------------------------------------------------------------

  write(shard: ShardStore, block: number, values: readonly number[]): Promise<void> {
    const call = (): Promise<void> =>
      stored(() => shard.write(blockIndex(block), fill(values), epoch(1)))
    return this.#put(call, { layer: this.head, block, values })
  }

  adopt(
    shard: ShardStore,
    at: { readonly layer: number; readonly block: number; readonly values: readonly Value[] },
  ): Promise<void> {
    const copy = {
      entries: at.values.map(entryOf),
      payload: fill(at.values.filter((value): value is number => value !== null && value !== 0)),
    }
    copiedBlocks(at.block, copy)
    return this.#put(() => shard.adopt(at.layer, blockIndex(at.block), copy), at)
  }

  async flush(shard: ShardStore): Promise<void> {
    const marks = this.#histories().map(history => [history, history.values.length - 1] as const)
    await shard.flush()
    for (const [history, mark] of marks) history.floor = Math.max(history.floor, mark)
  }

  /** In the same turn as the store's. */
  setLayers(layers: readonly LayerRecord[]): void {
    const before = [...this.#content.keys()].sort((a, b) => b - a)
    const after = new Map<number, Content>()
    for (const { id, covers } of layers) {
      const [newest, ...older] = before.filter(old =>
        covers.some(({ first, last }) => first <= old && old <= last),
      )
      const content = newest === undefined ? this.#fresh(() => null) : this.#content.get(newest)!
      for (const old of older) absorb(content, this.#content.get(old)!)
      after.set(id, content)
    }
    this.#content.clear()
    for (const [id, content] of after) this.#content.set(id, content)
    this.#layers = layers
  }

  /** Checks one way to look at the blocks, called now, against what was called before. */
  async look(
    shard: ShardStore,
    how: 'read' | 'layer' | 'index',
    at: Place,
  ): Promise<string | null> {
    const { layer, block, count } = at
    const blocks = Array.from({ length: count }, (_, i) => block + i)
    const expected = blocks.map(one => {
      if (how === 'index') return this.#newest(layer, one)
      return (how === 'layer' ? this.#newest(layer, one) : this.#seen(layer, one)) ?? 0
    })
    const found = await lookAt(shard, how, at)
    if (found.join() === expected.join()) return null
    const [is, not] = [JSON.stringify(found), JSON.stringify(expected)]
    return `${how} of layer ${layer}, block ${block}: ${is}, not ${not}`
  }

  allowed(what: 'machine' | 'process' = 'machine'): Allowed {
    return new Map(
      [...this.#content].map(([layer, content]) => {
        const blocks = [...content].map(([block, { values, floor, acknowledged }]) => {
          const quiet = acknowledged === values.length - 1
          const oldest = what === 'process' && quiet ? acknowledged : floor
          return [block, new Set(values.slice(oldest))] as const
        })
        return [layer, new Map(blocks)]
      }),
    )
  }

  // ---- inside -----------------------------------------------------------------------------------

  #fresh(value: (block: number) => Value): Content {
    return new Map(
      this.blocks.map(block => [block, { values: [value(block)], floor: 0, acknowledged: 0 }]),
    )
  }

  async #put(
    call: () => Promise<void>,
    { layer, block, values }: { layer: number; block: number; values: readonly Value[] },
  ): Promise<void> {
    const content = this.#content.get(layer)!
    const histories = values.map((_, i) => content.get(block + i)!)
    const marks = histories.map((history, i) => history.values.push(values[i]!) - 1)
    await call()
    histories.forEach((history, i) => {
      history.acknowledged = Math.max(history.acknowledged, marks[i]!)
    })
  }

  #histories(): History[] {
    return [...this.#content.values()].flatMap(content => [...content.values()])
  }

  #newest(layer: number, block: number): Value {
    return this.#content.get(layer)!.get(block)!.values.at(-1)!
  }

  #seen(layer: number, block: number): Value {
    for (const { id } of chainFrom(this.#layers, layer)) {
      const value = this.#newest(id, block)
      if (value !== null) return value
    }
    return null
  }
}

interface Place {
  readonly layer: number
  readonly block: number
  readonly count: number
}

function absorb(upper: Content, lower: Content): void {
  for (const [block, history] of upper) {
    const { values, floor } = lower.get(block)!
    if (floor !== values.length - 1) throw new Error('what is absorbed is durable')
    history.values = history.values.map(value => value ?? values.at(-1)!)
  }
}

function entryOf(value: Value): IndexEntry {
  if (value === null) return { state: 'absent', epoch: epoch(0), checksum: 0 }
  const { entries } = writtenBlocks(0, fill([value]), epoch(1))
  return decodeEntry(entries, 0)!
}

/** The byte that fills each block; throws for a corrupt or a mixed one. */
export async function lookAt(
  shard: ShardStore,
  how: 'read' | 'layer' | 'index',
  { layer, block, count }: Place,
): Promise<Value[]> {
  const into = new Uint8Array(count * BLOCK_BYTES).fill(0xee)
  const first = Math.floor(block / BLOCKS_PER_INDEX_PAGE)
  const last = Math.floor((block + count - 1) / BLOCKS_PER_INDEX_PAGE)
  if (how === 'index' && first !== last) throw new Error('looks at one page')
  const page = how === 'index' ? shard.indexPage(layer, first) : null
  const at = blockIndex(block)
  const reading = how === 'read' ? shard.read(at, into, layer) : shard.readLayer(layer, at, into)
  const [entries, { corrupt }] = await Promise.all([page, reading])
  if (corrupt.length > 0) throw new Error(`corrupt: ${JSON.stringify(corrupt)}`)
  return Array.from({ length: count }, (_, i) => {
    const bytes = into.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES)
    const value = bytes[0]!
    if (!bytes.every(byte => byte === value)) throw new Error(`block ${block + i} is mixed`)
    if (!entries) return value
    const entry = decodeEntry(entries, (block + i) % BLOCKS_PER_INDEX_PAGE)
    return entry?.state === 'absent' ? null : value
  })
}

/** What each layer holds; throws if something is there that must not be, or reads differ. */
export async function checkLayers(
  shard: ShardStore,
  using: { readonly layers: readonly LayerRecord[]; readonly allowed: Allowed },
): Promise<Found> {
  const found = new Map<number, Map<number, Value>>()
  for (const [layer, blocks] of using.allowed) {
    const values = new Map<number, Value>()
    found.set(layer, values)
    for (const [block, allowed] of blocks) {
      const [value = null] = await lookAt(shard, 'index', { layer, block, count: 1 })
      if (!allowed.has(value)) {
        const list = JSON.stringify([...allowed])
        throw new Error(`block ${block} of layer ${layer} holds ${value}, allowed: ${list}`)
      }
      values.set(block, value)
    }
  }
  for (const [layer, blocks] of using.allowed) {
    for (const block of blocks.keys()) {
      const chain = chainFrom(using.layers, layer).map(({ id }) => found.get(id)!.get(block)!)
      const expected = chain.find(value => value !== null) ?? 0
      const [value] = await lookAt(shard, 'read', { layer, block, count: 1 })
      if (value !== expected) {
        throw new Error(`block ${block} from layer ${layer} reads ${value}, not ${expected}`)
      }
    }
  }
  return found
}
