// One file of a simulated disk: for every block and for the size all versions since the last sync,
// the durable one first. A crash keeps any one of them, for each block by itself.
import { assert } from '../../src/base/assert.js'

export const PAGE = 4096

interface Version<T> {
  readonly value: T
  /** When it was written, in the disk's own count. */
  readonly at: number
}

type Versions<T> = Version<T>[]
/** Null: a hole. */
type Content = Uint8Array | null

interface Range {
  readonly from: number
  readonly to: number
  readonly write: boolean
}

export class SimulatedInode {
  readonly id: number
  readonly #blocks: Map<number, Versions<Content>>
  #sizes: Versions<number>
  readonly #busy = new Set<Range>()
  /** It had several names at some time. */
  linked: boolean

  constructor(id: number, from?: SimulatedInode) {
    this.id = id
    this.linked = from?.linked ?? false
    this.#blocks = new Map(from ? from.#blocks : [])
    this.#sizes = from ? from.#sizes : [{ value: 0, at: 0 }]
  }

  get size(): number {
    return this.#sizes.at(-1)!.value
  }

  allocated(): number {
    let blocks = 0
    for (const versions of this.#blocks.values()) if (versions.at(-1)!.value) blocks++
    return blocks * PAGE
  }

  /** How many blocks that are holes now would be filled by this write. */
  growth(position: number, length: number): number {
    let blocks = 0
    for (let n = Math.floor(position / PAGE); n * PAGE < position + length; n++) {
      if (!this.#content(n)) blocks++
    }
    return blocks
  }

  read(into: Uint8Array, position: number): number {
    const length = Math.max(0, Math.min(into.length, this.size - position))
    into.fill(0, 0, length)
    for (let n = Math.floor(position / PAGE); n * PAGE < position + length; n++) {
      const content = this.#content(n)
      if (!content) continue
      const from = Math.max(position, n * PAGE)
      const to = Math.min(position + length, (n + 1) * PAGE)
      into.set(content.subarray(from - n * PAGE, to - n * PAGE), from - position)
    }
    return length
  }

  write(data: Uint8Array, place: { readonly position: number; readonly at: number }): void {
    const { position, at } = place
    const end = position + data.length
    for (let n = Math.floor(position / PAGE); n * PAGE < end; n++) {
      const next = new Uint8Array(PAGE)
      const old = this.#content(n)
      if (old) next.set(old)
      const from = Math.max(position, n * PAGE)
      const to = Math.min(end, (n + 1) * PAGE)
      next.set(data.subarray(from - position, to - position), from - n * PAGE)
      this.#push(n, { value: next, at })
    }
    if (end > this.size) this.#sizes = [...this.#sizes, { value: end, at }]
  }

  punch({ position, length, at }: Record<'position' | 'length' | 'at', number>): void {
    assert(position % PAGE === 0 && length % PAGE === 0, 'holes are of whole blocks')
    for (let n = position / PAGE; n * PAGE < position + length; n++) {
      if (this.#content(n)) this.#push(n, { value: null, at })
    }
  }

  truncate(size: number, at: number): void {
    for (const [n, versions] of this.#blocks) {
      const content = versions.at(-1)!.value
      if (!content || (n + 1) * PAGE <= size) continue
      const rest = n * PAGE >= size ? null : content.slice()
      rest?.fill(0, size - n * PAGE)
      this.#push(n, { value: rest, at })
    }
    this.#sizes = [...this.#sizes, { value: size, at }]
  }

  /** What was written until then is durable. */
  synced(until: number): void {
    for (const [n, versions] of this.#blocks) this.#blocks.set(n, settle(versions, until))
    this.#sizes = settle(this.#sizes, until)
  }

  hasData(offset: number): boolean {
    return this.#content(Math.floor(offset / PAGE)) !== null
  }

  /** Flips a bit in every version, as a bad cell would. */
  bitFlip(offset: number): void {
    const n = Math.floor(offset / PAGE)
    const versions = this.#blocks.get(n)
    assert(versions, `nothing is stored at ${offset}`)
    const flipped = versions.map(version => {
      const value = version.value && version.value.slice()
      if (value) value[offset - n * PAGE]! ^= 1
      return { ...version, value }
    })
    this.#blocks.set(n, flipped)
  }

  /** One entry for everything that has several versions: how many, and how to decide. */
  choices(): { readonly what: string; readonly options: number }[] {
    const list = this.#undecided().map(([n, versions]) => {
      return { what: `block ${n}`, options: versions.length }
    })
    if (this.#sizes.length > 1) list.push({ what: 'size', options: this.#sizes.length })
    return list
  }

  /** The file after a crash; `pick` answers the choices in their order. */
  survivor(pick: readonly number[]): SimulatedInode {
    const next = new SimulatedInode(this.id, this)
    const undecided = this.#undecided()
    undecided.forEach(([n, versions], i) => {
      next.#blocks.set(n, [{ value: versions[pick[i]!]!.value, at: 0 }])
    })
    if (this.#sizes.length > 1) next.#sizes = [this.#sizes[pick[undecided.length]!]!]
    const size = next.size
    // Blocks beyond the size that survived are gone with it.
    for (const n of [...next.#blocks.keys()]) if (n * PAGE >= size) next.#blocks.delete(n)
    const last = next.#content(Math.floor(size / PAGE))
    if (last) {
      const cut = last.slice()
      cut.fill(0, size % PAGE)
      next.#blocks.set(Math.floor(size / PAGE), [{ value: cut, at: 0 }])
    }
    return next
  }

  /** Asserts that overlapping operations are not in flight together; returns the way to end. */
  enter(range: Range): () => void {
    for (const other of this.#busy) {
      const apart = other.to <= range.from || range.to <= other.from
      const clash = !apart && (other.write || range.write)
      assert(!clash, `overlapping operations in flight at ${range.from} of file ${this.id}`)
    }
    this.#busy.add(range)
    return () => this.#busy.delete(range)
  }

  /** The process that had operations in flight is gone. */
  forgetOperations(): void {
    this.#busy.clear()
  }

  #content(n: number): Content {
    return this.#blocks.get(n)?.at(-1)?.value ?? null
  }

  #undecided(): [number, Versions<Content>][] {
    const list = [...this.#blocks].filter(([, versions]) => versions.length > 1)
    return list.sort(([a], [b]) => a - b)
  }

  #push(n: number, version: Version<Content>): void {
    this.#blocks.set(n, [...(this.#blocks.get(n) ?? [{ value: null, at: 0 }]), version])
  }
}

function settle<T>(versions: Versions<T>, until: number): Versions<T> {
  const last = versions.findLastIndex(version => version.at <= until)
  return last > 0 ? versions.slice(last) : versions
}
