// Blocks whose index entries differed whenever they were looked at: each replica is compared with
// the first one by that one itself, which waits until nobody writes them (scrub-source.ts).
import type { BlockIndex, PeerId } from '../../base/brands.js'
import { wait, type Clock } from '../../base/clock.js'
import { SCRUB_ATTEMPTS_MAX, SCRUB_LOOK_AGAIN_MS } from '../../base/limits.js'
import type { ShardMessage } from '../../net/messages.js'
import type { ScrubEntry } from '../../net/scrub/messages.js'
import { spansOfBlocks } from './compare-pages.js'
import type { Questions } from './questions.js'

export interface ExactComparisonOptions {
  readonly questions: Questions
  readonly clock: Clock
  /** The primary first. */
  readonly servers: readonly PeerId[]
}

export interface Compared {
  /** The entries of all replicas that were compared. */
  readonly different: ReadonlyMap<BlockIndex, ReadonlyMap<PeerId, ScrubEntry>>
  /** Of some blocks nothing could be said. */
  readonly open: boolean
}

export class ExactComparison {
  readonly #o: ExactComparisonOptions
  readonly #entries = new Map<BlockIndex, Map<PeerId, ScrubEntry>>()
  /** Pairs that are known to be equal. */
  readonly #equal = new Map<BlockIndex, PeerId[]>()

  constructor(options: ExactComparisonOptions) {
    this.#o = options
  }

  /** Null: the shard has changed, or the scrub is over. */
  async run(
    about: ShardMessage & { readonly layer: number },
    blocks: readonly BlockIndex[],
  ): Promise<Compared | null> {
    const [reference, ...others] = this.#o.servers
    if (reference === undefined) return { different: new Map(), open: false }
    let open = false
    let isSilent = false
    for (const other of others) {
      let left = blocks
      for (let attempt = 0; attempt < SCRUB_ATTEMPTS_MAX && left.length > 0; attempt++) {
        if (attempt > 0) await wait(this.#o.clock, SCRUB_LOOK_AGAIN_MS << attempt)
        const still = await this.#attempt({ about, reference, other }, left)
        if (still === null) return null
        isSilent = still === 'silent'
        if (still === 'silent') break
        left = still
      }
      open ||= left.length > 0
      // It has been waited for, and nothing is compared without it.
      if (isSilent) break
    }
    for (const [block, entries] of this.#entries) {
      const own = entries.get(reference)!
      for (const server of this.#equal.get(block) ?? []) entries.set(server, own)
    }
    return { different: this.#entries, open }
  }

  /** What is to be asked once more. */
  async #attempt(
    {
      about,
      reference,
      other,
    }: {
      readonly about: ShardMessage & { readonly layer: number }
      readonly reference: PeerId
      readonly other: PeerId
    },
    blocks: readonly BlockIndex[],
  ): Promise<readonly BlockIndex[] | 'silent' | null> {
    const left = new Set(blocks)
    for (const span of spansOfBlocks(blocks)) {
      const request = { ...about, ...span, other }
      const asked = await this.#o.questions.ask(reference, 'scrub-compare', request)
      if (asked.kind === 'silent') return 'silent'
      if (asked.kind !== 'answer') return null
      const { different, open } = asked.reply
      for (const { block, own, other: theirs } of different) {
        const entries = this.#entries.get(block) ?? new Map<PeerId, ScrubEntry>()
        entries.set(reference, own)
        entries.set(other, theirs)
        this.#entries.set(block, entries)
      }
      const unequal = new Set<number>([...open, ...different.map(({ block }) => block)])
      const isOpen = new Set<number>(open)
      for (const block of blocks) {
        if (block < span.block || block >= span.block + span.blocks) continue
        if (!isOpen.has(block)) left.delete(block)
        if (!unequal.has(block)) {
          this.#equal.set(block, [...(this.#equal.get(block) ?? []), other])
        }
      }
    }
    return [...left]
  }
}
