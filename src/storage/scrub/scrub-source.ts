// What a replica answers to a scrub (docs/protocol.md): its index pages, page by page, with the
// blocks read from the disk; and, where those of two replicas differ, whether they really do.
//
// Two answers of two replicas are of two moments, and writes go on between them. So a difference
// counts only when one replica compares its blocks with the other's like this: it opens a guard; no
// write of them is open here, so what it has is committed, and every in-sync replica has it; the
// other answers when no write of them is open there, so what it has is committed, and we have it,
// or would have noted it in the guard. If the guard is untouched both have had the same writes.
import { wait } from '../../base/clock.js'
import { isSwarmdiskError } from '../../base/errors.js'
import {
  PARK_MS,
  REPLICA_RETRY_MIN_MS,
  SCRUB_SCAN_PAGES,
  SCRUB_SKIP_PAGES,
} from '../../base/limits.js'
import { blockIndex } from '../../base/brands.js'
import { indexPageOf, slotInPage, withinOnePage } from '../../layout/geometry.js'
import { hasLayer, headOf } from '../../layout/layers.js'
import type { ShardMessage } from '../../net/messages.js'
import type {
  DifferentEntries,
  ScrubCompareReply,
  ScrubCompareRequest,
  ScrubReply,
  ScrubRequest,
  ScrubStatus,
} from '../../net/scrub/messages.js'
import { fetchBlocks } from '../replica/block-repair.js'
import type { ReplicaContext } from '../replica/replica-context.js'
import type { FetchGuard } from '../replication/fetch-guards.js'
import type { CopiedEntries } from '../shard-store.js'
import { decodeEntry, isEmptyPage } from '../store/layer-format.js'
import { checkPage } from './page-check.js'
import { inTime } from './in-time.js'

const NOTHING = new Uint8Array(0)

interface NextPage {
  readonly page: number
  /** Null: nothing was found before this page. */
  readonly entries: Uint8Array | null
}

export class ScrubSource {
  readonly #context: ReplicaContext

  constructor(context: ReplicaContext) {
    this.#context = context
  }

  /** Fails with the disk. */
  async look(request: ScrubRequest): Promise<ScrubReply> {
    const { store } = this.#context
    const { layer, mode } = request
    const live = (): boolean => this.#gives(request)
    const next = await this.#next(request)
    if (next === null) return this.#without('refused')
    const { page, entries } = next
    if (entries === null) return { ...this.#without('ok'), page }
    const found = { ...this.#without('ok'), page, found: true }
    if (mode === 'entries') return { ...found, payload: entries }
    const first = page === request.page ? request.first : 0
    const checked = { context: this.#context, layer, page, first, repair: mode === 'repair', live }
    const part = await checkPage(checked, entries)
    if (part === 'busy') return this.#without('busy')
    if (part === null || !live()) return this.#without('refused')
    const payload = await store.indexPage(layer, page)
    return live() ? { ...found, ...part, payload } : this.#without('refused')
  }

  async compare(request: ScrubCompareRequest): Promise<ScrubCompareReply> {
    const none = { different: [], open: [], allocation: this.#context.state.epoch }
    const refused = { ...none, status: 'refused' as const }
    const isOther = this.#context.state.inSyncOthers().includes(request.other)
    if (!withinOnePage(request) || !this.#gives(request) || !isOther) return refused
    const open = Array.from({ length: request.blocks }, (_, i) => blockIndex(request.block + i))
    const guard = await this.#guardWhenDecided(request)
    if (guard === null) return this.#gives(request) ? { ...none, status: 'ok', open } : refused
    try {
      const compared = await this.#compared(request, guard)
      if (!this.#gives(request)) return refused
      return { ...none, status: 'ok', ...(compared ?? { open }) }
    } finally {
      guard.close()
    }
  }

  async #compared(
    request: ScrubCompareRequest,
    guard: FetchGuard,
  ): Promise<Pick<ScrubCompareReply, 'different' | 'open'> | null> {
    const { store, applier, host } = this.#context
    const { layer, block, blocks, other } = request
    // A disk that refuses what was written may do so for long.
    const quiet = this.#isOfHead(request) ? applier.quiet(request).then(() => true) : true
    if (!(await inTime(host.clock, { within: PARK_MS, otherwise: false }, quiet))) return null
    if (!this.#gives(request)) return null
    const page = await store.indexPage(layer, indexPageOf(block))
    const copy = await fetchBlocks(this.#context, other, { layer, block, blocks })
    if (copy === null || copy === 'corrupt') return null
    const first = slotInPage(block)
    const own = Array.from({ length: blocks }, (_, i) => decodeEntry(page, first + i))
    return judge(request, { own, theirs: copy.entries, guard })
  }

  /** Opened in the turn in which no write of these blocks is open; null: there is always one. */
  async #guardWhenDecided(request: ScrubCompareRequest): Promise<FetchGuard | null> {
    const { state, host, guards } = this.#context
    const until = host.clock.now() + PARK_MS
    const isOpen = (): boolean => this.#isOfHead(request) && state.undecided(request)
    // A primary that settles may lack what another has, without a write of its own being open.
    const isSettling = (): boolean => state.role === 'primary' && !state.settled
    while (this.#gives(request)) {
      if (!isOpen() && !isSettling()) return guards.open(request)
      if (host.clock.now() >= until) return null
      await wait(host.clock, REPLICA_RETRY_MIN_MS)
    }
    return null
  }

  /** Null: this replica has nothing to say under that allocation. */
  async #next(request: ScrubRequest): Promise<NextPage | null> {
    const { store } = this.#context
    const { layer, page, end } = request
    let [read, passed] = [0, 0]
    for (let at = page; this.#gives(request) && at < end; at++) {
      if (at >= store.pageCount(layer)) return { page: end, entries: null }
      const isEnough = read >= SCRUB_SCAN_PAGES || passed >= SCRUB_SKIP_PAGES
      if (isEnough) return { page: at, entries: null }
      passed++
      if (store.isKnownEmpty(layer, at)) continue
      read++
      const entries = await store.indexPage(layer, at)
      if (!isEmptyPage(entries)) return { page: at, entries }
    }
    return this.#gives(request) ? { page: Math.max(page, end), entries: null } : null
  }

  #without(status: ScrubStatus): ScrubReply {
    const allocation = this.#context.state.epoch
    const nothing = { blocks: 0, upTo: 0, flaws: [], payload: NOTHING }
    return { status, allocation, page: 0, found: false, ...nothing }
  }

  #isOfHead({ layer }: { readonly layer: number }): boolean {
    return layer === headOf(this.#context.store.layers).id
  }

  #gives({ allocation, layer }: ShardMessage & { readonly layer: number }): boolean {
    const { state, store } = this.#context
    return state.serving && allocation === state.epoch && hasLayer(store.layers, layer)
  }
}

/** Pure. */
function judge(
  { block }: ScrubCompareRequest,
  found: {
    readonly own: readonly ReturnType<typeof decodeEntry>[]
    readonly theirs: CopiedEntries['entries']
    readonly guard: Pick<FetchGuard, 'touched'>
  },
): Pick<ScrubCompareReply, 'different' | 'open'> {
  const different: DifferentEntries[] = []
  const open: DifferentEntries['block'][] = []
  found.own.forEach((own, i) => {
    const at = blockIndex(block + i)
    const other = found.theirs[i]
    // A damaged entry is rot, and is found as such.
    if (found.guard.touched(at) || !own || !other) return open.push(at)
    const same = own.state === other.state && own.checksum === other.checksum
    if (!same || own.epoch !== other.epoch) return different.push({ block: at, own, other })
    return 0
  })
  return { different, open }
}

export function scrubFailed(error: unknown): ScrubStatus {
  if (isSwarmdiskError(error)) return 'failed'
  throw error
}
