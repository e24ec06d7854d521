// One question of a scrub to one server, asked again until there is an answer, the shard has
// another allocation, or patience is over. A server that cannot be reached is waited for once, and
// not again for every shard.
import type { Epoch, PeerId } from '../../base/brands.js'
import { wait, type Clock } from '../../base/clock.js'
import {
  SCRUB_BUSY_MAX_MS,
  SCRUB_PATIENCE_MS,
  SCRUB_REQUEST_MS,
  SCRUB_RETRY_MAX_MS,
  SCRUB_RETRY_MIN_MS,
} from '../../base/limits.js'
import type { ShardMessage, ShardName } from '../../net/messages.js'
import type { ConfigurationWatch } from '../../net/configuration-watch.js'
import type { Reply, Request } from '../../net/operations.js'
import { LOST, type Peers } from '../../net/peers.js'

export interface ScrubContext {
  readonly peers: Peers
  readonly watch: ConfigurationWatch
  readonly clock: Clock
}

export type ScrubOperation = 'scrub' | 'scrub-compare'

export type Asked<O extends ScrubOperation> =
  | { readonly kind: 'answer'; readonly reply: Reply<O> }
  /** The shard has another allocation than was asked about. */
  | { readonly kind: 'changed' }
  | { readonly kind: 'silent'; readonly reason: string }
  | { readonly kind: 'over' }

/** A server that was waited for in vain: by this path, or, a second time, for good. */
interface GivenUp {
  readonly path: number | null
  readonly forGood: boolean
  readonly reason: string
}

const UNREACHABLE = 'cannot be reached'
const SILENT = 'does not answer; perhaps it runs an older release, which has no scrub'
const REFUSING = 'does not serve this copy'
export const FAILING = 'cannot read its disk; its log says why'
const BUSY = 'has had no time for ten minutes; is it catching up?'

export class Questions {
  readonly #context: ScrubContext
  readonly #givenUp = new Map<PeerId, GivenUp>()
  #over = false

  constructor(context: ScrubContext) {
    this.#context = context
  }

  /** Every question ends soon, and so do all later ones. */
  end(): void {
    this.#over = true
  }

  get over(): boolean {
    return this.#over
  }

  async ask<O extends ScrubOperation>(
    server: PeerId,
    operation: O,
    request: Request<O>,
  ): Promise<Asked<O>> {
    const { clock, watch } = this.#context
    let [since, busySince, lost] = [clock.now(), clock.now(), 0]
    for (let pause = SCRUB_RETRY_MIN_MS; ;) {
      if (this.#over) return { kind: 'over' }
      if (this.#changed(request)) return { kind: 'changed' }
      const reply = await this.#attempt(server, operation, request)
      if (this.#over) return { kind: 'over' }
      if (typeof reply !== 'string') {
        if (reply.status === 'ok') return { kind: 'answer', reply }
        watch.wanted(reply.allocation)
      }
      const now = clock.now()
      // One answer may be lost with its link, or come too late: that alone is no silence.
      if (reply === SILENT && lost++ === 0) since = now
      if (typeof reply !== 'string' && reply.status === 'busy') since = now
      else busySince = now
      if (now - busySince >= SCRUB_BUSY_MAX_MS) return { kind: 'silent', reason: BUSY }
      const reason = reasonOf(reply)
      const knownSilent = typeof reply === 'string' && this.#isGivenUp(server)
      if (now - since >= SCRUB_PATIENCE_MS || knownSilent) {
        if (typeof reply === 'string') this.#giveUp(server, reason)
        return { kind: 'silent', reason }
      }
      await wait(clock, pause)
      pause = Math.min(2 * pause, SCRUB_RETRY_MAX_MS)
    }
  }

  /** Whatever it answered; a sentence if it did not. */
  async #attempt<O extends ScrubOperation>(
    server: PeerId,
    operation: O,
    request: Request<O>,
  ): Promise<Reply<O> | string> {
    const { peers } = this.#context
    if (!peers.find(server)) return UNREACHABLE
    const known = this.#givenUp.get(server)
    if (known && this.#isGivenUp(server)) return known.reason
    const deadline = SCRUB_REQUEST_MS
    const reply = await peers.request(server, operation, request, { deadline })
    return reply === LOST ? SILENT : reply
  }

  #isGivenUp(server: PeerId): boolean {
    const known = this.#givenUp.get(server)
    return known !== undefined && (known.forGood || known.path === this.#pathOf(server))
  }

  #giveUp(server: PeerId, reason: string): void {
    const known = this.#givenUp.get(server)
    const path = this.#pathOf(server)
    // One that ends the link at every question would be waited for in every shard.
    const forGood = known !== undefined && (known.forGood || known.path !== path)
    this.#givenUp.set(server, { path, forGood, reason })
  }

  #pathOf(server: PeerId): number | null {
    return this.#context.peers.find(server)?.path ?? null
  }

  #changed({ volume, shard, allocation }: ShardMessage): boolean {
    return allocationOf(this.#context.watch, { volume, shard }) !== allocation
  }
}

/** Null: there is no such shard any more. */
function allocationOf(watch: ConfigurationWatch, { volume, shard }: ShardName): Epoch | null {
  return watch.current()?.volumes.get(volume)?.shards[shard]?.epoch ?? null
}

function reasonOf(reply: Reply<ScrubOperation> | string): string {
  if (typeof reply === 'string') return reply
  return reply.status === 'failed' ? FAILING : reply.status === 'busy' ? BUSY : REFUSING
}
