// The side of an in-sync replica that others compare with and copy from: summaries of index pages,
// entries, blocks. Blocks with a write in flight are given when that is settled, as reads are.
import { BLOCKS_PER_INDEX_PAGE, INDEX_ENTRY_BYTES, PARK_MS } from '../../base/limits.js'
import { indexPageOf, slotInPage } from '../../layout/geometry.js'
import type {
  BlocksReply,
  BlocksRequest,
  IndexPageReply,
  IndexPageRequest,
  ShardMessage,
  SummariesReply,
  SummariesRequest,
} from '../../net/messages.js'
import type { Parking } from '../parking.js'
import { BLOCK_BYTES } from '../../base/limits.js'
import { decodeEntry } from '../store/layer-format.js'
import { repairBlocks } from './block-repair.js'
import type { ReplicaContext } from './replica-context.js'

const NOTHING = new Uint8Array(0)
const REFUSED: BlocksReply = { status: 'refused', entries: NOTHING, payload: NOTHING }
const CORRUPT: BlocksReply = { ...REFUSED, status: 'corrupt' }

export class CatchUpSource {
  readonly #context: ReplicaContext
  readonly #parking: Parking

  constructor(context: ReplicaContext, parking: Parking) {
    this.#context = context
    this.#parking = parking
  }

  async summaries(request: SummariesRequest): Promise<SummariesReply> {
    const refused = { ok: false, summaries: [], pageCount: 0 }
    if (!this.#gives(request)) return refused
    const { store } = this.#context
    const summaries = await store.summaries(request.firstPage, request.pages)
    return this.#gives(request) ? { ok: true, summaries, pageCount: store.pageCount() } : refused
  }

  async indexPage(request: IndexPageRequest): Promise<IndexPageReply> {
    const refused = { ok: false, payload: NOTHING }
    if (!this.#gives(request)) return refused
    const payload = await this.#context.store.indexPage(request.page)
    return this.#gives(request) ? { ok: true, payload } : refused
  }

  blocks(request: BlocksRequest, answer: (reply: BlocksReply) => void): void {
    this.#whenDecided(request, this.#context.host.clock.now() + PARK_MS, answer)
  }

  #whenDecided(request: BlocksRequest, until: number, answer: (reply: BlocksReply) => void): void {
    const lastSlot = slotInPage(request.block) + request.blocks
    if (!this.#gives(request) || lastSlot > BLOCKS_PER_INDEX_PAGE) return answer(REFUSED)
    if (this.#context.state.undecided(request)) {
      const resume = (): void => this.#whenDecided(request, until, answer)
      return this.#parking.park({ resume, refuse: () => answer(REFUSED) }, until)
    }
    this.#read(request).then(answer, (error: unknown) => {
      this.#context.host.log.error('a copy for another replica failed', {
        ...this.#context.name,
        error: String(error),
      })
      answer(REFUSED)
    })
  }

  async #read(request: BlocksRequest): Promise<BlocksReply> {
    const { store } = this.#context
    const content = new Uint8Array(request.blocks * BLOCK_BYTES)
    // Both calls in one turn: entries and content are of the same moment.
    const [{ corrupt }, page] = await Promise.all([
      store.read(request.block, content),
      store.indexPage(indexPageOf(request.block)),
    ])
    if (!this.#gives(request)) return REFUSED
    if (corrupt.length > 0) {
      // It asks again when ours is good again; with no other copy the caller may know one.
      return (await repairBlocks(this.#context, corrupt)) ? REFUSED : CORRUPT
    }
    const first = slotInPage(request.block)
    const parts: Uint8Array[] = []
    for (let i = 0; i < request.blocks; i++) {
      if (decodeEntry(page, first + i)?.state !== 'data') continue
      parts.push(content.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES))
    }
    const entries = page.subarray(
      first * INDEX_ENTRY_BYTES,
      (first + request.blocks) * INDEX_ENTRY_BYTES,
    )
    return { status: 'ok', entries, payload: Buffer.concat(parts) }
  }

  #gives(request: ShardMessage): boolean {
    const { state } = this.#context
    return state.serving && request.allocation === state.epoch
  }
}
