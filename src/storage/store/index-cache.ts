// Index pages in memory, for all shards of a server together. Out goes the oldest that nobody has
// used since the last look (a clock, or second chance): then a use costs a mark, and no place in a
// list. A page in use (pinned) or not yet written to its file stays; both are few and limited by
// the calls in flight.
import { assert } from '../../base/assert.js'
import { Coalesced } from '../../base/coalesced.js'

export class IndexPage {
  readonly number: number
  readonly bytes: Uint8Array
  /** Writes the page to its file. */
  readonly writer: Coalesced
  pins = 0
  /** Changed since it was last written to the file. */
  dirty = false
  /** Used since a page to leave was last looked for. */
  recent = false
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

type Slot = { page: IndexPage } | { loading: Promise<IndexPage> }

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

  /** Only if it is in memory; not pinned, and not taken for used. */
  peek(file: number, number: number): IndexPage | undefined {
    const slot = this.#slots.get(keyOf(file, number))
    return slot && 'page' in slot ? slot.page : undefined
  }

  /** For a look within this turn, as pin(..., 'again'); undefined if the page is not in memory. */
  use(file: number, number: number): IndexPage | undefined {
    const page = this.peek(file, number)
    if (page) markUsed(page)
    return page
  }

  /** The same as pin(), in this turn; undefined if the page is not in memory. */
  pinKnown(file: number, number: number): IndexPage | undefined {
    const page = this.use(file, number)
    if (page) page.pins++
    return page
  }

  async pin(
    file: number,
    { page: number, use, load }: { page: number; use: PageUse; load: () => Promise<IndexPage> },
  ): Promise<IndexPage> {
    const key = keyOf(file, number)
    const slot = this.#slots.get(key)
    if (slot) {
      const page = 'page' in slot ? slot.page : await slot.loading
      if (use === 'again') markUsed(page)
      page.pins++
      return page
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

  #evict(): void {
    // Who is passed over goes to the end: twice as many steps see each page without a use.
    let steps = 2 * this.#slots.size
    for (const [key, slot] of this.#slots) {
      if (this.#slots.size <= this.#limit || steps-- === 0) return
      this.#slots.delete(key)
      if ('page' in slot && slot.page.pins === 0 && !slot.page.dirty && !slot.page.recent) continue
      if ('page' in slot) slot.page.recent = false
      this.#slots.set(key, slot)
    }
  }
}

/** By a call that others like it will follow. */
function markUsed(page: IndexPage): void {
  page.use = 'again'
  page.recent = true
}

function keyOf(file: number, page: number): number {
  assert(page < FILE_STRIDE, 'a page number is below 2^31')
  return file * FILE_STRIDE + page
}
