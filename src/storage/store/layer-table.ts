// Which files make up which layer of a shard, and where a read looks: a layer may be several files
// as long as what it absorbed is not merged. The newest file that has a block wins. Pure.
//
//   layers   1 ◄──── 5 covers 3…5 ◄── 6 head          chain of 6:  6, 5, 3, 1
//   files    1       3  5              6
import { assert } from '../../base/assert.js'
import { headOf, type LayerRecord } from '../../layout/layers.js'
import { chainFrom, ownerOf } from '../../snapshot/chain.js'

export interface NumberedFile {
  readonly number: number
}

/** One place where a read looks. */
export interface ChainLink<F> {
  readonly layer: number
  readonly file: F
}

export class LayerTable<F extends NumberedFile> {
  readonly #files = new Map<number, F>()
  /** Both are made when they are asked for. */
  #groups: ReadonlyMap<number, readonly F[]> | null = null
  readonly #chains = new Map<number, readonly ChainLink<F>[]>()
  #layers: readonly LayerRecord[]

  constructor(layers: readonly LayerRecord[]) {
    this.#layers = layers
  }

  get layers(): readonly LayerRecord[] {
    return this.#layers
  }

  get head(): number {
    return headOf(this.#layers).id
  }

  files(): F[] {
    return [...this.#files.values()]
  }

  holds(file: F): boolean {
    return this.#files.get(file.number) === file
  }

  add(file: F): void {
    assert(!this.#files.has(file.number), 'a file is added once')
    this.#files.set(file.number, file)
    this.#forget()
  }

  remove(file: F): void {
    assert(this.#files.get(file.number) === file, 'a file is removed once')
    this.#files.delete(file.number)
    this.#forget()
  }

  setLayers(layers: readonly LayerRecord[]): void {
    this.#layers = layers
    this.#forget()
  }

  /** The layers for which no file exists. */
  missing(layers: readonly LayerRecord[]): readonly number[] {
    const owned = new Set([...this.#files.keys()].map(number => ownerOf(layers, number)?.id))
    return layers.map(({ id }) => id).filter(id => !owned.has(id))
  }

  /**
   * Files that no layer covers. What is newer than the head is none of them: it belongs to layers
   * that these do not know yet.
   */
  abandoned(): readonly F[] {
    return this.files().filter(({ number }) => {
      return number < this.head && !ownerOf(this.#layers, number)
    })
  }

  /** The files of one layer, the newest first. */
  group(layer: number): readonly F[] {
    const group = this.#grouped().get(layer)
    assert(group, `layer ${layer} of the volume has a file`)
    return group
  }

  /** From this layer down. */
  chain(layer: number): readonly ChainLink<F>[] {
    let chain = this.#chains.get(layer)
    if (!chain) {
      chain = chainFrom(this.#layers, layer).flatMap(({ id }) => this.own(id))
      this.#chains.set(layer, chain)
    }
    return chain
  }

  /** As a chain, but without the parents. */
  own(layer: number): readonly ChainLink<F>[] {
    return this.group(layer).map(file => ({ layer, file }))
  }

  /** The layers that are several files, with their files. */
  unmerged(): readonly (readonly F[])[] {
    return [...this.#grouped().values()].filter(group => group.length > 1)
  }

  #grouped(): ReadonlyMap<number, readonly F[]> {
    if (this.#groups) return this.#groups
    const groups = new Map<number, F[]>()
    for (const file of this.files().sort((a, b) => b.number - a.number)) {
      const owner = ownerOf(this.#layers, file.number)
      if (!owner) continue
      const group = groups.get(owner.id)
      if (group) group.push(file)
      else groups.set(owner.id, [file])
    }
    this.#groups = groups
    return groups
  }

  #forget(): void {
    this.#groups = null
    this.#chains.clear()
  }
}
