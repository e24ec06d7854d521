// Index pages in memory, for all shards of a server together, least recently used first out. A
// page in use (pinned) or not yet written to its file stays; both are few and limited by the calls
// in flight.
import { assert } from '../../base/assert.js'
import { Coalesced } from './coalesced.js'

export class IndexPage {
  readonly number: number
  readonly bytes: Uint8Array
  /** Writes the page to its file. */
  readonly writer: Coalesced
  pins = 0
  /** Changed since it was last written to the file. */
  dirty = false
  use: PageUse = 'again'

  constructor(
    number: number,
    options: { bytes: Uint8Array; write: (p: IndexPage) => Promise<void> },
  ) {
    this.number = number
    this.bytes = options.bytes
    this.writer = new Coalesced(() => options.write(this))
  }
}

/** A page that was loaded for one look leaves the cache when nobody else came for it. */
export type PageUse = 'once' | 'again'

type Loaded = { page: IndexPage }
type Slot = Loaded | { loading: Promise<IndexPage> }

/** Pages of up to 2^31 of one file; files are numbered as they are opened. */
const FILE_STRIDE = 2 ** 31

export class IndexCache {
  readonly #limit: number
  readonly #slots = new Map<number, Slot>()
  #files = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  newFile(): number {
    return ++this.#files
  }

  get size(): number {
    return this.#slots.size
  }

  /** Only if it is in memory; not pinned. */
  peek(file: number, number: number): IndexPage | undefined {
    const slot = this.#slots.get(keyOf(file, number))
    return slot && 'page' in slot ? slot.page : undefined
  }

  /** The same as pin(), in this turn; undefined if the page is not in memory. */
  pinKnown(file: number, number: number): IndexPage | undefined {
    const key = keyOf(file, number)
    const slot = this.#slots.get(key)
    if (!slot || !('page' in slot)) return undefined
    this.#take(key, slot)
    return slot.page
  }

  async pin(
    file: number,
    { page: number, use, load }: { page: number; use: PageUse; load: () => Promise<IndexPage> },
  ): Promise<IndexPage> {
    const key = keyOf(file, number)
    const slot = this.#slots.get(key)
    if (slot) {
      const loaded = 'page' in slot ? slot : { page: await slot.loading }
      if (use === 'again') this.#take(key, loaded)
      else loaded.page.pins++
      return loaded.page
    }
    const loading = load()
    this.#slots.set(key, { loading })
    try {
      const page = await loading
      page.pins++
      page.use = use
      this.#slots.set(key, { page })
      this.#evict()
      return page
    } catch (error) {
      this.#slots.delete(key)
      throw error
    }
  }

  unpin(file: number, page: IndexPage): void {
    assert(page.pins > 0, 'a page is unpinned once')
    page.pins--
    const done = page.use === 'once' && page.pins === 0 && !page.dirty
    if (done) this.#slots.delete(keyOf(file, page.number))
  }

  forget(file: number): void {
    for (const key of [...this.#slots.keys()]) {
      if (Math.floor(key / FILE_STRIDE) === file) this.#slots.delete(key)
    }
  }

  /** For a call that others like it will follow: it becomes the most recently used. */
  #take(key: number, slot: Loaded): void {
    slot.page.pins++
    slot.page.use = 'again'
    if (this.#slots.delete(key)) this.#slots.set(key, slot)
  }

  #evict(): void {
    if (this.#slots.size <= this.#limit) return
    for (const [key, slot] of this.#slots) {
      if (!('page' in slot) || slot.page.pins > 0 || slot.page.dirty) continue
      this.#slots.delete(key)
      if (this.#slots.size <= this.#limit) return
    }
  }
}

function keyOf(file: number, page: number): number {
  assert(page < FILE_STRIDE, 'a page number is below 2^31')
  return file * FILE_STRIDE + page
}
