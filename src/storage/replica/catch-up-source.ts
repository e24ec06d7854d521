// The side of an in-sync replica that others compare with and copy from: summaries of index pages,
// entries, blocks. Blocks with a write in flight are given when that is settled, as reads are.
import type { PeerId } from '../../base/brands.js'
import { isSwarmdiskError } from '../../base/errors.js'
import { BLOCK_BYTES, INDEX_ENTRY_BYTES, PARK_MS } from '../../base/limits.js'
import { hasLayer, headOf } from '../../layout/layers.js'
import { indexPageOf, slotInPage, withinOnePage } from '../../layout/geometry.js'
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
import { stateOf } from '../store/layer-format.js'
import { repairBlocks } from './block-repair.js'
import type { ReplicaContext } from './replica-context.js'

interface Copy {
  readonly request: BlocksRequest
  readonly from: PeerId
  readonly until: number
  readonly answer: (reply: BlocksReply) => void
}

const NOTHING = new Uint8Array(0)
const REFUSED: BlocksReply = {
  ...{ status: 'refused', entries: NOTHING, busy: false, payload: NOTHING },
}
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
    const { layer, firstPage, pages } = request
    const summaries = await store.summaries(layer, { first: firstPage, count: pages })
    if (!this.#gives(request)) return refused
    return { ok: true, summaries, pageCount: store.pageCount(layer) }
  }

  async indexPage(request: IndexPageRequest): Promise<IndexPageReply> {
    const refused = { ok: false, payload: NOTHING }
    if (!this.#gives(request)) return refused
    const payload = await this.#context.store.indexPage(request.layer, request.page)
    return this.#gives(request) ? { ok: true, payload } : refused
  }

  blocks(request: BlocksRequest, from: PeerId, answer: (reply: BlocksReply) => void): void {
    const { host, state } = this.#context
    // Whoever asks: no such page may be looked for in the store.
    if (!withinOnePage(request)) return answer(REFUSED)
    const give = (): void => {
      this.#whenDecided({ request, from, until: host.clock.now() + PARK_MS, answer })
    }
    // What an in-sync one lacks, a client may be waiting for.
    const waits = !state.inSyncOthers().includes(from)
    const pause = waits ? host.recovery.pauseToGive(request.blocks * BLOCK_BYTES) : 0
    if (pause === null) answer(REFUSED)
    else if (pause > 0) host.clock.after(pause, give)
    else give()
  }

  #whenDecided(copy: Copy): void {
    const { request, from, answer, until } = copy
    const { state, host, name } = this.#context
    if (!this.#gives(request)) return answer(REFUSED)
    const again = (): void => this.#whenDecided(copy)
    const open = this.#isOfHead(request) && state.undecided(request)
    // The primary settles with our content what it cannot read itself.
    const settling = from === state.primary && state.awaitsSettling(request)
    if (open && !settling) {
      return this.#parking.park({ resume: again, refuse: () => answer(REFUSED) }, until)
    }
    const done = (reply: BlocksReply | null): void => (reply ? answer(reply) : again())
    this.#read(copy).then(done, (error: unknown) => {
      if (!isSwarmdiskError(error)) throw error
      host.log.error('a copy for another replica failed', { ...name, error: error.message })
      answer(REFUSED)
    })
  }

  /** Null: a write came in between, so that entries and content may not belong together. */
  async #read({ request, from }: Copy): Promise<BlocksReply | null> {
    const { store, guards, state, applier, host } = this.#context
    const { layer } = request
    const isHead = this.#isOfHead(request)
    // What is in our list but not stored yet, because the disk refused it, is part of our content.
    if (isHead) {
      await applier.quiet(request)
      if (!hasLayer(store.layers, layer)) return REFUSED
    }
    const content = new Uint8Array(request.blocks * BLOCK_BYTES)
    const guard = guards.open(request)
    const [{ corrupt }, page] = await Promise.all([
      store.readLayer(layer, request.block, content),
      store.indexPage(layer, indexPageOf(request.block)),
    ]).finally(() => guard.close())
    if (isHead && guard.anyTouched()) return null
    if (!this.#gives(request)) return REFUSED
    if (corrupt.length > 0) {
      // An in-sync replica repairs its own and asks the others itself: no round of questions.
      if (state.inSyncOthers().includes(from)) return CORRUPT
      // A syncing one asks again: ours may be good by then.
      return (await repairBlocks(this.#context, corrupt)) === 'no-copy' ? CORRUPT : REFUSED
    }
    const first = slotInPage(request.block)
    const parts: Uint8Array[] = []
    for (let i = 0; i < request.blocks; i++) {
      if (stateOf(page, first + i) !== 'data') continue
      parts.push(content.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES))
    }
    const entries = page.subarray(
      first * INDEX_ENTRY_BYTES,
      (first + request.blocks) * INDEX_ENTRY_BYTES,
    )
    return { status: 'ok', entries, busy: host.recovery.busy, payload: Buffer.concat(parts) }
  }

  #isOfHead({ layer }: BlocksRequest): boolean {
    return layer === headOf(this.#context.store.layers).id
  }

  #gives({ allocation, layer }: ShardMessage & { readonly layer: number }): boolean {
    const { state, store } = this.#context
    if (!state.serving || allocation !== state.epoch) return false
    return hasLayer(store.layers, layer)
  }
}
