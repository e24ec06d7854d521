// The layers of a volume (design §6): a tree whose newest layer is the head, which takes the
// writes; all others are frozen. A read looks into a layer, then into its parent, and so on. A
// snapshot names a frozen layer. One that nobody names any more is absorbed by its only child, or
// goes with its last one. Pure.
//
//   1 ◄── 2 ◄── 4 ◄── 5 head          2 is not named any more:   1 ◄── 4 (covers 2, 4) ◄── 5
//   a     └──── 3 b                    3 was:                     it stays while 3 needs it, too
//
// Numbers are never used again: a head is always newer than everything before it. What was absorbed
// is remembered as ranges of numbers (`covers`), so that a server that was away for long still
// knows whose content its files are.
import { assert } from '../base/assert.js'

/** Both ends included. */
export interface LayerRange {
  readonly first: number
  readonly last: number
}

export interface LayerRecord {
  /** Unique within the volume; grows. The last layer of a volume is its head. */
  readonly id: number
  /** Where a read looks next; 0: nowhere. */
  readonly parent: number
  /** The numbers of the layers that are one by now, this one included; ascending, apart. */
  readonly covers: readonly LayerRange[]
}

export const FIRST_LAYER: LayerRecord = freshLayer(1, 0)

function freshLayer(id: number, parent: number): LayerRecord {
  return { id, parent, covers: [{ first: id, last: id }] }
}

export function headOf(layers: readonly LayerRecord[]): LayerRecord {
  const head = layers.at(-1)
  assert(head, 'a volume has a head')
  return head
}

/** Whether it is one of them: it may be gone since somebody named it. */
export function hasLayer(layers: readonly LayerRecord[], id: number): boolean {
  return layers.some(layer => layer.id === id)
}

export function layerOf(layers: readonly LayerRecord[], id: number): LayerRecord {
  const layer = layers.find(one => one.id === id)
  assert(layer, `layer ${id} is one of the volume`)
  return layer
}

/** The head is frozen, and a new one takes the writes. */
export function freeze(layers: readonly LayerRecord[]): readonly LayerRecord[] {
  const { id } = headOf(layers)
  return [...layers, freshLayer(id + 1, id)]
}

/** A new head on this layer; the old one goes, with what only it needed. */
export function rollBack(
  layers: readonly LayerRecord[],
  { to, named }: { readonly to: number; readonly named: ReadonlySet<number> },
): readonly LayerRecord[] {
  const { id } = headOf(layers)
  return prune([...layers, freshLayer(id + 1, layerOf(layers, to).id)], named)
}

/** A new head on this layer and those below, and nothing else: what a clone begins with. */
export function branch(layers: readonly LayerRecord[], from: number): readonly LayerRecord[] {
  const chain: LayerRecord[] = []
  for (let id = from; id !== 0; id = chain[0]!.parent) chain.unshift(layerOf(layers, id))
  return freeze(chain)
}

/** Without what nobody needs: no name, not the head, and not two children apart. */
export function prune(
  layers: readonly LayerRecord[],
  named: ReadonlySet<number>,
): readonly LayerRecord[] {
  const head = headOf(layers).id
  for (const layer of layers) {
    if (layer.id === head || named.has(layer.id)) continue
    const children = layers.filter(({ parent }) => parent === layer.id)
    if (children.length > 1) continue
    const [child] = children
    const rest = layers.filter(one => one !== layer)
    return prune(child ? rest.map(one => (one === child ? absorb(one, layer) : one)) : rest, named)
  }
  return layers
}

function absorb(child: LayerRecord, lower: LayerRecord): LayerRecord {
  const covers = joined([...lower.covers, ...child.covers])
  return { id: child.id, parent: lower.parent, covers }
}

function joined(ranges: readonly LayerRange[]): readonly LayerRange[] {
  const list: LayerRange[] = []
  for (const range of [...ranges].sort((a, b) => a.first - b.first)) {
    const last = list.at(-1)
    if (last && range.first <= last.last + 1) list[list.length - 1] = { ...last, last: range.last }
    else list.push(range)
  }
  return list
}

/** What is wrong with them; null if nothing is. */
export function layersProblem(layers: readonly LayerRecord[]): string | null {
  const seen = new Set<number>([0])
  let newest = 0
  for (const { id, parent, covers } of layers) {
    if (id <= newest) return 'layers grow'
    if (!seen.has(parent)) return 'a layer lies on an older one of the same volume'
    if (!covers.some(({ first, last }) => first <= id && id <= last)) {
      return 'a layer covers itself'
    }
    newest = id
    seen.add(id)
  }
  const ranges = layers.flatMap(({ covers }) => covers).sort((a, b) => a.first - b.first)
  const apart = ranges.every(
    ({ first, last }, i) => first <= last && (i === 0 || ranges[i - 1]!.last < first),
  )
  if (!apart) return 'no two layers cover the same'
  return layers.length > 0 ? null : 'a volume has a head'
}
