// A scrub of one shard: every layer, page by page, each by all in-sync replicas under one
// allocation. When the shard gets another one, the page begins anew, with the replicas and layers
// that there are then; a layer that has taken in another one meanwhile is looked at anew.
import { blockIndex, type PeerId, type ShardIndex, type VolumeId } from '../../base/brands.js'
import { wait } from '../../base/clock.js'
import {
  BLOCKS_PER_INDEX_PAGE,
  SCRUB_ATTEMPTS_MAX,
  SCRUB_LOOK_AGAIN_MS,
  SCRUB_LOOKS_MAX,
  SCRUB_UNREADABLE_MAX,
} from '../../base/limits.js'
import type { ShardAllocation, VolumeRecord } from '../../layout/configuration.js'
import { firstBlockOfPage, indexPageOf, pagesOfShard } from '../../layout/geometry.js'
import type { LayerRecord } from '../../layout/layers.js'
import { inSyncOf } from '../../layout/replicas.js'
import type { FlawOutcome, FoundFlaw, ScrubReply } from '../../net/scrub/messages.js'
import { volumeGone } from '../shard/shard-line.js'
import { differingSlots, nextStep } from './compare-pages.js'
import { Coverage } from './coverage.js'
import { ExactComparison } from './exact-comparison.js'
import { isAnswerTo, type About } from './answers.js'
import { FAILING, type Asked, type Questions, type ScrubContext } from './questions.js'
import type { ScrubReport } from './scrub-report.js'

export interface ShardScrubOptions {
  readonly context: ScrubContext
  readonly questions: Questions
  readonly volume: VolumeId
  readonly volumeName: string
  readonly shard: ShardIndex
  readonly repair: boolean
  readonly report: ScrubReport
}

/** What is asked about, by the newest configuration. */
interface View {
  readonly allocation: ShardAllocation
  readonly layers: readonly LayerRecord[]
  readonly pages: number
}

interface KnownFlaw {
  readonly server: PeerId
  readonly layer: number
  readonly flaw: FoundFlaw
}

interface At {
  readonly key: string
  readonly layer: number
  readonly page: number
}

const STALE = 'has an old copy; it catches up when it is back'
const SYNCING = 'is catching up'
const STOPPED = 'the scrub ended before'
const NOT_COMPARED =
  'some blocks could not be compared: they were written all the time, or a server did not answer'
const ODD = 'answered with something that was not asked; does it run the same release?'

const keyOf = (layer: LayerRecord): string => JSON.stringify([layer.id, layer.covers])

export class ShardScrub {
  readonly #o: ShardScrubOptions
  readonly #coverage = new Coverage()
  /** Layers that were looked at whole. */
  readonly #done = new Set<string>()
  /** Answers about pages that are still to come, under this allocation. */
  readonly #ahead = new Map<PeerId, ScrubReply>()
  /** Servers that are left out, under this allocation. */
  readonly #left = new Map<PeerId, string>()
  /** What was found in pages that are not done with. */
  readonly #flaws = new Map<string, KnownFlaw>()
  #allocation: ShardAllocation['epoch'] | null = null
  #at: At | null = null
  #progress = 0
  #ended = false

  constructor(options: ShardScrubOptions) {
    this.#o = options
  }

  /** From 0 to 1. */
  get progress(): number {
    return this.#progress
  }

  /** Or 'not-found', when the volume is deleted. */
  async run(stepped: () => void): Promise<void> {
    for (;;) {
      const view = this.#view()
      const layer = view.layers.find(one => !this.#done.has(keyOf(one)))
      if (!layer || this.#o.questions.over) break
      const key = keyOf(layer)
      if (this.#at?.key !== key) this.#begin({ key, layer: layer.id, page: 0 })
      const reached = await this.#step(view, this.#at!)
      if (reached === null) continue
      if (reached === 'nobody') break
      this.#settleFlaws(reached < view.pages ? reached : Infinity)
      if (reached < view.pages) this.#at = { ...this.#at!, page: reached }
      else this.#done.add(key)
      const before = view.layers.filter(one => this.#done.has(keyOf(one))).length
      const within = reached < view.pages ? reached / view.pages : 0
      this.#progress = Math.min(1, (before + within) / view.layers.length)
      stepped()
    }
    if (!this.#o.questions.over) this.finish()
  }

  /** Says what was not looked at; once. */
  finish(): void {
    if (this.#ended) return
    this.#ended = true
    this.#settleFlaws(Infinity)
    const { allocation, layers } = this.#view()
    const { report, shard } = this.#o
    const whole = layers.every(layer => this.#done.has(keyOf(layer)))
    for (const { server, state } of allocation.replicas) {
      if (state === 'syncing') report.unchecked(shard, server, SYNCING)
      else if (whole && this.#coverage.isWhole(server)) report.wholeReplica()
      else this.#notWhole(server)
    }
    for (const server of allocation.stale) report.unchecked(shard, server, STALE)
    this.#progress = 1
  }

  #notWhole(server: PeerId): void {
    const { report, shard } = this.#o
    const left = this.#left.get(server)
    const [missed] = this.#coverage.unchecked([server]).values()
    report.unchecked(
      shard,
      server,
      left ?? (this.#o.questions.over ? STOPPED : (missed ?? STOPPED)),
    )
  }

  #view(): View {
    const { context, volume: id, volumeName, shard } = this.#o
    const volume = context.watch.current()?.volumes.get(id)
    const allocation = volume?.shards[shard]
    if (!volume || !allocation) throw volumeGone(volumeName)
    if (this.#allocation !== allocation.epoch) {
      this.#allocation = allocation.epoch
      this.#ahead.clear()
      this.#left.clear()
    }
    return { allocation, layers: volume.layers, pages: pagesOf(volume, shard) }
  }

  #begin(at: At): void {
    this.#at = at
    this.#settleFlaws(Infinity)
    this.#ahead.clear()
  }

  /**
   * The page up to which the layer has been looked at then; null: the same once more; or there is
   * nobody to ask.
   */
  async #step(view: View, at: At): Promise<number | 'nobody' | null> {
    if (at.page >= view.pages) return view.pages
    const inSync = inSyncOf(view.allocation).map(({ server }) => server)
    const asking = inSync.filter(server => !this.#left.has(server) && !this.#ahead.has(server))
    const asked = await Promise.all(asking.map(server => this.#page(view, at, server)))
    if (asked.includes('again')) return null
    const servers = inSync.filter(server => this.#ahead.has(server))
    if (servers.length === 0) return 'nobody'
    const replies = new Map(servers.map(server => [server, this.#ahead.get(server)!]))
    const next = nextStep(replies)
    if (next.kind === 'go') {
      for (const [server, { page }] of replies) {
        if (page === next.page) this.#ahead.delete(server)
      }
      this.#coverage.step(servers)
      return next.page
    }
    if (next.kind === 'ask') {
      for (const server of next.who) this.#ahead.delete(server)
      return next.page
    }
    const { page, holders } = next
    if (!(await this.#compare({ view, layer: at.layer, page, servers }))) return null
    for (const server of holders) {
      this.#o.report.read(replies.get(server)!.blocks)
      this.#ahead.delete(server)
    }
    this.#coverage.step(servers)
    return page + 1
  }

  /**
   * Puts the answer into #ahead, or the server among those that are left out. It is checked first,
   * and repaired by another question: an answer may be lost, and must not take with it what was
   * wrong before the repair.
   */
  async #page(view: View, at: At, server: PeerId): Promise<'done' | 'again'> {
    let blocks = 0
    let about: About = { layer: at.layer, page: at.page, end: view.pages, first: 0, mode: 'check' }
    for (let attempt = 0; ; attempt++) {
      const asked = await this.#whole(view, about, server)
      if (asked.kind !== 'answer') return this.#leave(server, asked)
      const { reply } = asked
      blocks = Math.max(blocks, reply.blocks)
      const mends = this.#o.repair && reply.found && reply.flaws.some(mayBeMended)
      if (!mends || attempt >= SCRUB_ATTEMPTS_MAX) {
        this.#ahead.set(server, { ...reply, blocks })
        return 'done'
      }
      about = { ...about, page: reply.page, end: reply.page + 1, mode: 'repair' }
    }
  }

  /** One page, in as many answers as it takes; what they find is noted whatever comes then. */
  async #whole(view: View, about: About, server: PeerId): Promise<Asked<'scrub'>> {
    let blocks = 0
    const flaws: FoundFlaw[] = []
    for (let part = about; ;) {
      const asked = await this.#ask(view, part, server)
      if (asked.kind !== 'answer') return asked
      const { reply } = asked
      this.#note({ server, layer: part.layer }, reply.flaws)
      blocks += reply.blocks
      flaws.push(...reply.flaws)
      if (flaws.filter(isUnreadable).length >= SCRUB_UNREADABLE_MAX) {
        return { kind: 'silent', reason: FAILING }
      }
      const isDone = !reply.found || reply.upTo === BLOCKS_PER_INDEX_PAGE
      if (isDone) return { kind: 'answer', reply: { ...reply, blocks, flaws } }
      part = { ...part, page: reply.page, end: reply.page + 1, first: reply.upTo }
    }
  }

  /** Repaired is what the server says it has repaired, when it was asked to; nothing else is. */
  #note(
    of: { readonly server: PeerId; readonly layer: number },
    flaws: readonly FoundFlaw[],
  ): void {
    for (const flaw of flaws) {
      this.#flaws.set(`${of.server} ${flaw.flaw} ${flaw.block}`, { ...of, flaw })
    }
  }

  /** With repairs, an answer of which nothing more was heard leaves it for the next scrub. */
  #finalOutcome(outcome: FlawOutcome): FlawOutcome {
    if (this.#o.repair) return outcome === 'reported' ? 'not-now' : outcome
    return 'reported'
  }

  /** Nothing more is done about what was found before this page. */
  #settleFlaws(before: number): void {
    const { report, shard } = this.#o
    for (const [key, { server, layer, flaw }] of this.#flaws) {
      if (indexPageOf(flaw.block) >= before) continue
      const outcome = this.#finalOutcome(flaw.outcome)
      report.rotten({ shard, layer, server }, { ...flaw, outcome })
      this.#flaws.delete(key)
    }
  }

  #leave(server: PeerId, asked: Exclude<Asked<'scrub'>, { kind: 'answer' }>): 'done' | 'again' {
    if (asked.kind !== 'silent') return 'again'
    this.#ahead.delete(server)
    this.#left.set(server, asked.reason)
    this.#coverage.missed(server, asked.reason)
    return 'done'
  }

  /** Of an answer that does not fit nothing is believed. */
  async #ask({ allocation }: View, about: About, server: PeerId): Promise<Asked<'scrub'>> {
    const { questions, volume, shard } = this.#o
    const request = { volume, shard, allocation: allocation.epoch, ...about }
    const asked = await questions.ask(server, 'scrub', request)
    const isOdd = asked.kind === 'answer' && !isAnswerTo(about, asked.reply)
    return isOdd ? { kind: 'silent', reason: ODD } : asked
  }

  /** False: the shard has changed, or the scrub is over. */
  async #compare(compared: {
    readonly view: View
    readonly layer: number
    readonly page: number
    readonly servers: readonly PeerId[]
  }): Promise<boolean> {
    const { view, layer, page, servers } = compared
    const first = firstBlockOfPage(page)
    const replies = servers.map(server => this.#ahead.get(server)!)
    const bad = new Set(replies.flatMap(({ flaws }) => flaws.filter(isOpen)).map(f => f.block))
    const isGood = (slot: number): boolean => !bad.has(blockIndex(first + slot))
    const pages = replies.map(reply => (reply.page === page ? reply.payload : new Uint8Array(0)))
    let differing = differingSlots(pages).filter(isGood)
    for (let look = 0; look < SCRUB_LOOKS_MAX && differing.length > 0; look++) {
      await wait(this.#o.context.clock, SCRUB_LOOK_AGAIN_MS << look)
      const again = await this.#entries(compared)
      if (again === null) return false
      const still = new Set(differingSlots(again))
      differing = differing.filter(slot => still.has(slot))
    }
    if (differing.length === 0) return true
    const { questions, context, volume, shard, report } = this.#o
    const exact = new ExactComparison({ questions, clock: context.clock, servers })
    const about = { volume, shard, allocation: view.allocation.epoch, layer }
    const outcome = await exact.run(
      about,
      differing.map(slot => blockIndex(first + slot)),
    )
    if (outcome === null) return false
    for (const [block, entries] of outcome.different) {
      report.different({ shard, layer, block }, entries)
    }
    if (outcome.open) report.unchecked(shard, null, NOT_COMPARED)
    return true
  }

  /** Index pages as they are now, of those that answer; null: changed, or over. */
  async #entries(compared: {
    readonly view: View
    readonly layer: number
    readonly page: number
    readonly servers: readonly PeerId[]
  }): Promise<readonly Uint8Array[] | null> {
    const { view, layer, page, servers } = compared
    const about = { layer, page, end: page + 1, first: 0, mode: 'entries' as const }
    const asked = await Promise.all(servers.map(server => this.#ask(view, about, server)))
    const pages: Uint8Array[] = []
    for (const one of asked) {
      if (one.kind === 'answer') pages.push(one.reply.payload)
    }
    const isWhole = pages.length === servers.length
    servers.forEach((server, i) => {
      const one = asked[i]!
      if (one.kind !== 'answer') this.#leave(server, one)
    })
    return isWhole ? pages : null
  }
}

function mayBeMended({ outcome }: FoundFlaw): boolean {
  return outcome === 'reported' || outcome === 'not-now'
}

/** It may show in the index, too: what is not repaired is not compared. */
function isOpen({ outcome }: FoundFlaw): boolean {
  return outcome !== 'repaired'
}

function isUnreadable({ flaw, outcome }: FoundFlaw): boolean {
  return flaw === 'unreadable' && outcome !== 'repaired'
}

function pagesOf({ size, shards }: VolumeRecord, shard: ShardIndex): number {
  return pagesOfShard({ size, shardCount: shards.length, shard })
}
