// Where two points in time of a volume can differ: in the blocks that the layers between them hold
// themselves. Pure.
//
//   1 ◄── 2 ◄── 4 ◄── 5 head      from 2 to 4: what 4 holds         straight: 4 lies on 2
//   a     b     c                  from 3 to 4: what 4 and 3 hold    through their ancestor, 2
//         └──── 3 d                from nothing to 4: 4, 2 and 1
import { assert } from '../base/assert.js'
import type { LayerRecord } from '../layout/layers.js'
import { chainFrom } from './chain.js'

export interface LayersBetween {
  /** The newest first. A block that none of them holds is the same at both ends. */
  readonly layers: readonly number[]
  /**
   * The later end lies on the earlier one, so the first layer that holds a block has its content.
   * Else a layer of the other branch may be the first, which says nothing of the content.
   */
  readonly straight: boolean
}

export interface Ends {
  /** Null: nothing at all, a volume of holes. */
  readonly from: number | null
  readonly to: number
}

export function layersBetween(layers: readonly LayerRecord[], { from, to }: Ends): LayersBetween {
  const there = idsOf(layers, to)
  if (from === null) return { layers: there, straight: true }
  const back = idsOf(layers, from)
  const shared = new Set(back)
  const own = there.filter(id => !shared.has(id))
  const others = back.filter(id => !there.includes(id))
  assert(
    own.every((id, i) => id === there[i]),
    'two chains that have met stay together',
  )
  return { layers: [...own, ...others], straight: others.length === 0 }
}

function idsOf(layers: readonly LayerRecord[], id: number): readonly number[] {
  return chainFrom(layers, id).map(layer => layer.id)
}
