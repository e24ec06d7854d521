// What is seen from a layer of a volume, and whose content a file is. (What layers there are says
// src/layout/layers.ts.) Pure.
import { layerOf, type LayerRange, type LayerRecord } from '../layout/layers.js'

/** From this layer down: where a read looks, in order. */
export function chainFrom(layers: readonly LayerRecord[], id: number): readonly LayerRecord[] {
  const chain: LayerRecord[] = []
  for (let at = id; at !== 0;) {
    const layer = layerOf(layers, at)
    chain.push(layer)
    at = layer.parent
  }
  return chain
}

/** The layer that the layer once numbered so is a part of; null if it is gone. */
export function ownerOf(layers: readonly LayerRecord[], number: number): LayerRecord | null {
  const covers = ({ first, last }: LayerRange): boolean => first <= number && number <= last
  return layers.find(layer => layer.covers.some(covers)) ?? null
}
