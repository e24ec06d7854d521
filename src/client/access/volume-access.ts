// Whether this client may write to one volume (design §7). Asked of any manager when somebody wants
// to write, until it is decided; held meanwhile, like everything that a retry can bring about.
//
//   none ──► asking ──► attached ──────────► releasing ──► none
//    ▲         │ refused    │ a configuration without us
//    └─────────┘            └──► fenced ──(all who had it open have closed it)──► none
//
// Fenced is final for whoever had it: another client may have written since, and what a file system
// here believes to be on the volume is not there any more.
import type { Epoch, VolumeId } from '../../base/brands.js'
import { epoch as toEpoch } from '../../base/brands.js'
import { wait } from '../../base/clock.js'
import { assert } from '../../base/assert.js'
import { SwarmdiskError } from '../../base/errors.js'
import { ATTACH_DEADLINE_MS, ATTACH_RETRY_MS, DETACH_DEADLINE_MS } from '../../base/limits.js'
import { isAttached } from '../../layout/apply/attachments.js'
import type { VolumeRecord } from '../../layout/configuration.js'
import type { AttachReply, DetachReply } from '../../net/messages.js'
import { LOST, type Lost, type PeerInfo } from '../../net/peers.js'
import type { ClientContext } from '../context.js'

type State =
  | { readonly kind: 'none' | 'asking' | 'releasing' }
  /** Since a configuration of this epoch. */
  | { readonly kind: 'attached'; readonly epoch: Epoch }
  | { readonly kind: 'fenced'; readonly error: SwarmdiskError }

/** Null: it may write. */
type Decided = (problem: SwarmdiskError | null) => void

interface Waiter {
  readonly decided: Decided
  readonly takeover: boolean
}

export interface AccessName {
  readonly volume: VolumeId
  readonly volumeName: string
}

export interface AccessEvents {
  /** Perhaps another client has written since it last was. */
  attached(): void
  /** Another client has it, or an operator took it: nothing may be sent any more. */
  fenced(error: SwarmdiskError): void
}

type Answer = Exclude<AttachReply, { readonly kind: 'wait' }>

export class VolumeAccess {
  readonly #context: ClientContext
  readonly #name: AccessName
  readonly #events: AccessEvents
  readonly #waiters = new Set<Waiter>()
  #state: State = { kind: 'none' }
  #work: Promise<void> = Promise.resolve()
  #nextManager = 0
  /** Configurations before this one may name us although we have detached. */
  #detachedAt: Epoch = toEpoch(0)
  #ended = false

  constructor(context: ClientContext, name: AccessName, events: AccessEvents) {
    this.#context = context
    this.#name = name
    this.#events = events
  }

  get attached(): boolean {
    return this.#state.kind === 'attached'
  }

  /** On record, or on the way to be. */
  get claimed(): boolean {
    return this.#state.kind === 'attached' || this.#state.kind === 'asking'
  }

  get fenced(): boolean {
    return this.#state.kind === 'fenced'
  }

  /** Calls `decided`, now or later; the function returned gives up the waiting. */
  granted(decided: Decided, takeover = false): () => void {
    if (this.#state.kind === 'attached') decided(null)
    else if (this.#state.kind === 'fenced') decided(this.#state.error)
    else {
      const waiter = { decided, takeover }
      this.#waiters.add(waiter)
      if (this.#state.kind === 'none') this.#ask()
      return () => this.#waiters.delete(waiter)
    }
    return () => undefined
  }

  /** Nobody has it open any more who had it when it was fenced. */
  forgetFence(): void {
    if (this.#state.kind === 'fenced') this.#state = { kind: 'none' }
  }

  /** With every configuration. */
  reconfigured(record: VolumeRecord): void {
    const { peers, watch } = this.#context
    const known = watch.current()?.epoch ?? toEpoch(0)
    const named = isAttached(record, peers.self)
    if (this.#state.kind === 'attached' && !named && known >= this.#state.epoch) this.#fence(record)
    // Of an attach that was given up before its answer came.
    if (this.#state.kind === 'none' && named && known >= this.#detachedAt && !this.#ended) {
      void this.release()
    }
  }

  /** Gives it back; what was written is durable by now, or lost. Resolves within a bound. */
  async release(): Promise<void> {
    await this.#work
    if (this.#state.kind !== 'attached' && this.#state.kind !== 'none') return
    this.#state = { kind: 'releasing' }
    this.#work = this.#detach()
    await this.#work
  }

  /** Nothing is asked for any more. */
  end(): void {
    this.#ended = true
  }

  #ask(): void {
    assert(this.#state.kind === 'none', 'one question at a time')
    this.#state = { kind: 'asking' }
    this.#work = this.#askUntilDecided()
  }

  async #askUntilDecided(): Promise<void> {
    while (this.#waiters.size > 0 && !this.#ended) {
      const takeover = [...this.#waiters].some(waiter => waiter.takeover)
      const reply = await this.#attach(takeover)
      if (reply === null) await wait(this.#context.clock, ATTACH_RETRY_MS)
      else if (reply.kind === 'attached') return this.#attachedAt(reply.epoch)
      else {
        const { code, reason } = reply
        // Those who want to take over did not have their turn yet.
        this.#decide(new SwarmdiskError(code, reason), waiter => takeover || !waiter.takeover)
      }
    }
    this.#state = { kind: 'none' }
  }

  /** Requests are sent under configurations only that say so, and so every server knows by then. */
  async #attachedAt(epoch: Epoch): Promise<void> {
    const { watch, peers, log } = this.#context
    watch.wanted(epoch)
    const configuration = await watch.until(epoch)
    const record = configuration.volumes.get(this.#name.volume)
    // Deleted: whoever waits has heard of that.
    if (record === undefined) this.#state = { kind: 'none' }
    else if (!isAttached(record, peers.self)) this.#fence(record)
    else {
      this.#state = { kind: 'attached', epoch }
      log.info('attached', { volume: this.#name.volumeName, epoch })
      this.#events.attached()
      this.#decide(null)
    }
  }

  /** Null: nobody could decide. */
  async #attach(takeover: boolean): Promise<Answer | null> {
    const { host, mode, peers } = this.#context
    const manager = this.#manager()
    if (!manager) return null
    const request = { volume: this.#name.volume, host, mode, takeover }
    const deadline = ATTACH_DEADLINE_MS
    const reply: AttachReply | Lost = await peers.request(manager.id, 'attach', request, {
      deadline,
    })
    return reply === LOST || reply.kind === 'wait' ? null : reply
  }

  async #detach(): Promise<void> {
    const { clock, peers, log } = this.#context
    const end = clock.now() + DETACH_DEADLINE_MS
    const { volume, volumeName } = this.#name
    let reply: DetachReply | Lost = LOST
    while ((reply === LOST || reply.kind === 'wait') && clock.now() < end) {
      const manager = this.#manager()
      const deadline = Math.max(1, end - clock.now())
      if (manager) reply = await peers.request(manager.id, 'detach', { volume }, { deadline })
      if (reply === LOST || reply.kind === 'wait') await wait(clock, ATTACH_RETRY_MS)
    }
    if (reply !== LOST && reply.kind === 'detached') {
      this.#detachedAt = reply.epoch
      log.info('detached', { volume: volumeName, epoch: reply.epoch })
    } else log.warn('not detached: others get it when our lease is over', { volume: volumeName })
    this.#state = { kind: 'none' }
    if (this.#waiters.size > 0) this.#ask()
  }

  #manager(): PeerInfo | undefined {
    const managers = this.#context.peers.list().filter(peer => peer.roles.includes('manager'))
    return managers[this.#nextManager++ % Math.max(1, managers.length)]
  }

  #decide(problem: SwarmdiskError | null, whom: (waiter: Waiter) => boolean = () => true): void {
    for (const waiter of [...this.#waiters]) {
      if (!whom(waiter)) continue
      this.#waiters.delete(waiter)
      waiter.decided(problem)
    }
  }

  #fence({ attachments }: VolumeRecord): void {
    const [holder] = attachments
    const whom = holder ? ` to host ${holder.host} at ${holder.since}` : ''
    const error = new SwarmdiskError(
      'fenced',
      `This mount lost its access to volume ${this.#name.volumeName}${whom}: what it had not ` +
        'flushed is gone; unmount what stands on it here, and attach it again.',
    )
    this.#context.log.error(error.message)
    this.#state = { kind: 'fenced', error }
    this.#events.fenced(error)
    this.#decide(error)
  }
}
