// A syncing replica's side of catching up (design §5): compare summaries, then entries, of each
// layer, and take every block that differs, older or newer alike. One pass is enough, because every
// write ordered in this allocation is sent to us as well; it starts again at every new allocation,
// and when the primary says that we missed writes.
//
// The copies come from the primary: whatever it gives includes every write it ordered before, and
// every later one reaches us after the copy on the same path. A block written here while it is
// being copied is left alone (FetchGuards).
import { byteCount, type ByteCount } from '../../base/brands.js'
import { SwarmdiskError } from '../../base/errors.js'
import {
  BLOCK_BYTES,
  BLOCKS_PER_INDEX_PAGE,
  CAUGHT_UP_INTERVAL_MS,
  FETCH_BLOCKS_MAX,
  FETCH_PAGES_AT_ONCE,
  INDEX_ENTRY_BYTES,
  REPLICA_REQUEST_MS,
  REPLICA_RETRY_MAX_MS,
  REPLICA_RETRY_MIN_MS,
  SUMMARY_PAGES,
} from '../../base/limits.js'
import { wait } from '../../base/clock.js'
import { firstBlockOfPage } from '../../layout/geometry.js'
import { LOST } from '../../net/peers.js'
import { decodeEntry } from '../store/layer-format.js'
import { hasLayer, headOf } from '../../layout/layers.js'
import type { CopiedEntries } from '../shard-store.js'
import { fetchBlocks, type LayerSpan } from './block-repair.js'
import { spanBetween, union, type BlockSpan } from '../replication/block-spans.js'
import type { FetchGuard } from '../replication/fetch-guards.js'
import type { ReplicaContext } from './replica-context.js'

/** Not now: asked again after a pause. */
class TryAgain extends Error {}

interface LayerPage {
  readonly layer: number
  readonly page: number
}

/** One pass over what differs; another one begins where it fails. */
interface Attempt {
  pagesLeft: number
  failed: boolean
}

interface ComparedPage {
  readonly first: number
  readonly own: Uint8Array
  readonly theirs: Uint8Array
  readonly isHead: boolean
}

export class CatchUp {
  readonly #context: ReplicaContext
  /** Raised by start() and stop(): whatever runs for an older round ends. */
  #round = 0
  #active = false
  #everything = false
  #attempt: Attempt = { pagesLeft: 0, failed: false }
  #problem = ''

  constructor(context: ReplicaContext) {
    this.#context = context
  }

  /** Null when there is nothing to catch up. An upper bound until entries were compared. */
  get bytesLeft(): ByteCount | null {
    if (!this.#active) return null
    return byteCount(this.#attempt.pagesLeft * BLOCKS_PER_INDEX_PAGE * BLOCK_BYTES)
  }

  get problem(): string {
    return this.#active ? this.#problem : ''
  }

  /** `everything`: also blocks that carry this allocation's epoch, as newer writes were missed. */
  start(everything: boolean): void {
    const round = ++this.#round
    this.#active = true
    this.#everything = everything
    const { store } = this.#context
    const pagesLeft = store.layers.reduce((sum, { id }) => sum + store.pageCount(id), 0)
    this.#attempt = { pagesLeft, failed: false }
    void this.#run(round)
  }

  stop(): void {
    this.#round++
    this.#active = false
  }

  async #run(round: number): Promise<void> {
    const { host, store } = this.#context
    await this.#untilDone(round, () =>
      host.catchUps.run(async () => {
        await this.#compare(round)
        await store.flush()
      }),
    )
    while (this.#round === round) {
      await this.#untilDone(round, () => this.#announce())
      await wait(host.clock, CAUGHT_UP_INTERVAL_MS)
    }
  }

  /** Tries until it works or another round has begun. */
  async #untilDone(round: number, work: () => Promise<void>): Promise<void> {
    const { host, name } = this.#context
    for (let pause = REPLICA_RETRY_MIN_MS; this.#round === round;) {
      try {
        await work()
        this.#problem = ''
        return
      } catch (error) {
        if (this.#round !== round) return // also for a store that was closed meanwhile
        if (!(error instanceof TryAgain) && !(error instanceof SwarmdiskError)) throw error
        if (error instanceof SwarmdiskError && this.#problem !== error.message) {
          this.#problem = error.message
          host.log.warn('catching up waits', { ...name, error: error.message })
        }
      }
      await wait(host.clock, pause)
      pause = Math.min(pause * 2, REPLICA_RETRY_MAX_MS)
    }
  }

  /** Tells the primary, again and again until a configuration changes this replica's state. */
  async #announce(): Promise<void> {
    const { state, host } = this.#context
    const here = this.#context.here()
    const primary = state.primary
    if (!primary) throw new TryAgain()
    const request = { ...here, applied: state.applied }
    // No deadline: once counted, this replica may become in-sync at any time, so it must not give
    // up the answer, which carries the once table. A broken path ends both.
    const reply = await host.peers.request(primary, 'caught-up', request)
    if (reply === LOST || !reply.counted) throw new TryAgain()
    this.#context.step({ kind: 'counted', allocation: here.allocation, reply })
  }

  async #compare(round: number): Promise<void> {
    const pages: LayerPage[] = []
    for (const { id } of this.#context.store.layers) {
      // One by one: those of a long shard are more than a call takes arguments.
      for (const page of await this.#differingPages(round, id)) pages.push(page)
    }
    const attempt: Attempt = { pagesLeft: pages.length, failed: false }
    this.#attempt = attempt
    const next = pages.values()
    const worker = async (): Promise<void> => {
      for (const page of next) {
        if (attempt.failed) return
        await this.#page(round, page).catch((error: unknown) => {
          attempt.failed = true
          throw error
        })
        attempt.pagesLeft--
      }
    }
    // All have ended before the next attempt, which compares what they have copied.
    const workers = Array.from({ length: FETCH_PAGES_AT_ONCE }, worker)
    for (const result of await Promise.allSettled(workers)) {
      if (result.status === 'rejected') throw result.reason
    }
  }

  async #differingPages(round: number, layer: number): Promise<readonly LayerPage[]> {
    const { store, state, host } = this.#context
    const differing: number[] = []
    let pageCount = 1
    for (let firstPage = 0; firstPage < pageCount; firstPage += SUMMARY_PAGES) {
      const range = { layer, firstPage, pages: SUMMARY_PAGES }
      const request = { ...this.#context.here(), ...range }
      const deadline = REPLICA_REQUEST_MS
      if (!state.primary) throw new TryAgain()
      const reply = await host.peers.request(state.primary, 'summaries', request, { deadline })
      if (this.#round !== round || reply === LOST || !reply.ok) throw new TryAgain()
      host.recovery.count(reply.summaries.reduce((sum, { hash }) => sum + hash.byteLength, 0))
      const own = await store.summaries(layer, { first: firstPage, count: SUMMARY_PAGES })
      if (!hasLayer(store.layers, layer)) throw new TryAgain()
      pageCount = Math.max(reply.pageCount, store.pageCount(layer))
      const theirs = new Map(reply.summaries.map(({ page, hash }) => [page, hash]))
      for (const { page, hash } of own) {
        const other = theirs.get(page)
        if (!other || !Buffer.from(hash).equals(other)) differing.push(page)
        theirs.delete(page)
      }
      differing.push(...theirs.keys())
    }
    return differing.map(page => ({ layer, page }))
  }

  async #page(round: number, { layer, page }: LayerPage): Promise<void> {
    const { store, state, host, guards } = this.#context
    const first = firstBlockOfPage(page)
    const guard = guards.open(spanBetween(first, first + BLOCKS_PER_INDEX_PAGE))
    try {
      const request = { ...this.#context.here(), layer, page }
      const deadline = REPLICA_REQUEST_MS
      if (!state.primary) throw new TryAgain()
      const theirs = await host.peers.request(state.primary, 'index-page', request, { deadline })
      if (!hasLayer(store.layers, layer)) throw new TryAgain()
      const own = await store.indexPage(layer, page)
      if (this.#round !== round || theirs === LOST || !theirs.ok) throw new TryAgain()
      host.recovery.count(theirs.payload.byteLength)
      if (theirs.payload.byteLength !== own.byteLength) throw new TryAgain()
      const isHead = layer === headOf(store.layers).id
      for (const span of this.#differingSpans({ first, own, theirs: theirs.payload, isHead })) {
        await this.#copy(round, { ...span, layer }, isHead ? guard : null)
      }
    } finally {
      guard.close()
    }
  }

  #differingSpans({ first, own, theirs, isHead }: ComparedPage): readonly BlockSpan[] {
    const spans: BlockSpan[] = []
    for (let slot = 0; slot < BLOCKS_PER_INDEX_PAGE; slot++) {
      const at = slot * INDEX_ENTRY_BYTES
      const end = at + INDEX_ENTRY_BYTES
      if (Buffer.compare(own.subarray(at, end), theirs.subarray(at, end)) === 0) continue
      // Written here in this very allocation: the source has it too, or will.
      const ours = decodeEntry(own, slot)
      const isNew = isHead && ours?.epoch === this.#context.state.epoch
      if (isNew && !this.#everything) continue
      spans.push(spanBetween(first + slot, first + slot + 1))
    }
    return union(spans).flatMap(span => inParts(span))
  }

  /** `guard` is null where nothing is written: in frozen layers. */
  async #copy(round: number, span: LayerSpan, guard: FetchGuard | null): Promise<void> {
    const { state, host } = this.#context
    // Only where there is something to wait for.
    const pause = host.recovery.pauseToFetch(span.blocks * BLOCK_BYTES)
    if (pause > 0) await wait(host.clock, pause)
    if (this.#round !== round || !state.primary) throw new TryAgain()
    const began = host.clock.now()
    try {
      const copy = await fetchBlocks(this.#context, state.primary, span)
      if (this.#round !== round || copy === null) throw new TryAgain()
      if (copy === 'corrupt') {
        throw new SwarmdiskError('corrupt', `block ${span.block} or one after it has no good copy`)
      }
      await Promise.all(this.#adopt(span, copy, guard))
    } finally {
      host.recovery.took(host.clock.now() - began)
    }
  }

  /** No await between the look at the guard and the calls to the store. */
  #adopt(span: LayerSpan, copy: CopiedEntries, guard: FetchGuard | null): readonly Promise<void>[] {
    const calls: Promise<void>[] = []
    let run: { first: number; bytesAt: number } | null = null
    let bytesAt = 0
    for (let i = 0; i <= span.blocks; i++) {
      const entry = copy.entries[i]
      const take = entry !== undefined && !guard?.touched(span.block + i)
      if (take) run ??= { first: i, bytesAt }
      if (!take && run) {
        const { block } = spanBetween(span.block + run.first, span.block + i)
        const payload = copy.payload.subarray(run.bytesAt, bytesAt)
        const entries = copy.entries.slice(run.first, i)
        calls.push(this.#context.store.adopt(span.layer, block, { entries, payload }))
        run = null
      }
      if (entry?.state === 'data') bytesAt += BLOCK_BYTES
    }
    return calls
  }
}

function inParts(span: BlockSpan): readonly BlockSpan[] {
  const parts: BlockSpan[] = []
  const end = span.block + span.blocks
  for (let at: number = span.block; at < end; at += FETCH_BLOCKS_MAX) {
    parts.push(spanBetween(at, Math.min(at + FETCH_BLOCKS_MAX, end)))
  }
  return parts
}
