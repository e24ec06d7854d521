// One link in use: its hello, its keep-alive, its outbox, and the requests that wait for an answer
// on it. Whatever arrives is decoded here and handed to the owner; what cannot be decoded closes
// the link and is counted. Assertions and other bugs of handlers are thrown on.
import type { PeerId } from '../../base/brands.js'
import { assert } from '../../base/assert.js'
import type { Clock, Timer } from '../../base/clock.js'
import { isSwarmdiskError } from '../../base/errors.js'
import {
  ADMISSION_TIMEOUT_MS,
  LINK_DOUBT_MS,
  LINK_SILENCE_MS,
  PING_INTERVAL_MS,
} from '../../base/limits.js'
import { decodeFrom, encode, malformed, type CodecState } from '../codecs/codec.js'
import type { MessageCodec } from '../codecs/message-codec.js'
import type { Link, LinkKind } from '../link.js'
import {
  operationOf,
  operations,
  type OperationName,
  type Path,
  type Reply,
  type Request,
} from '../operations.js'
import type { Answer } from '../peers.js'
import type { PendingCall } from './call.js'
import {
  messageParcel,
  ownParcel,
  pathCodec,
  readFrame,
  readNumber,
  type EntryKind,
  type Parcel,
  type PathAnnouncement,
} from './entry.js'
import type { FrameMemory } from './frame-memory.js'
import { decodeHello, encodeHello, type Hello } from './hello.js'
import { Outbox } from './outbox.js'

export interface ChannelOwner {
  /** The remote side has said who it is. May close the channel. */
  greeted(channel: Channel, hello: Hello): void
  announced(channel: Channel, announcement: PathAnnouncement): void
  /** False: ignored, because of roles, path, or because nobody here serves it. */
  accepts(channel: Channel, operation: OperationName): boolean
  deliver<O extends OperationName>(
    channel: Channel,
    operation: O,
    message: { readonly request: Request<O>; readonly answer: Answer<O> },
  ): void
  /** `malformed`: by what the peer sent. */
  closed(channel: Channel, why: { readonly reason: string; readonly malformed: boolean }): void
}

export interface ChannelOptions {
  readonly link: Link
  readonly clock: Clock
  readonly owner: ChannelOwner
  readonly hello: Hello
  readonly memory: FrameMemory
}

const ignoreReply = (): void => undefined

export class Channel {
  readonly remote: PeerId
  readonly kind: LinkKind
  readonly initiator: boolean
  readonly since: number
  readonly #link: Link
  readonly #clock: Clock
  readonly #owner: ChannelOwner
  readonly #memory: FrameMemory
  readonly #outbox: Outbox
  readonly #calls = new Map<number, PendingCall>()
  #nextCall = 1
  #greeted = false
  #closed = false
  #heard: number
  /** Milliseconds without a frame after which the link is dead. */
  #patience = LINK_SILENCE_MS
  #timer: Timer

  constructor(options: ChannelOptions) {
    const { link, clock } = options
    this.#link = link
    this.#clock = clock
    this.#owner = options.owner
    this.#memory = options.memory
    this.remote = link.remote
    this.kind = link.kind
    this.initiator = link.initiator
    this.since = clock.now()
    this.#heard = this.since
    this.#outbox = new Outbox({
      clock,
      allocate: bytes => link.allocate(bytes),
      send: frame => link.send(frame),
      overflow: () => this.close('too much waits for a peer that does not take it'),
    })
    link.listen({
      frame: frame => this.#frame(frame),
      drain: () => this.#outbox.drain(),
      closed: () => this.#end({ reason: 'the link closed', malformed: false }),
    })
    this.#outbox.push(ownParcel('hello', encodeHello(options.hello)))
    this.#timer = clock.after(ADMISSION_TIMEOUT_MS, () => this.close('no hello in time'))
  }

  get open(): boolean {
    return !this.#closed
  }

  /** Sends a request; the call ends with LOST if this link breaks first. */
  send(call: PendingCall): void {
    if (this.#closed) call.lose()
    if (call.ended) return
    const id = this.#nextCall++
    this.#calls.set(id, call)
    call.whenEnded(() => this.#calls.delete(id))
    this.#outbox.push(call.parcel(id))
  }

  notify(parcel: Parcel): void {
    this.#outbox.push(parcel)
  }

  announce(announcement: PathAnnouncement): void {
    this.#outbox.push(ownParcel('path', encode(pathCodec, announcement)))
  }

  /** This link is the data path no more, or a new one: what it had under way ends with LOST. */
  loseData(): void {
    this.#outbox.forgetData()
    this.#lose('data')
  }

  /** Another link to this peer broke: its process may be gone, which a swarm link tells no one. */
  doubt(): void {
    this.#patience = LINK_DOUBT_MS
  }

  close(reason: string): void {
    this.#end({ reason, malformed: false })
  }

  #lose(path: Path | 'both'): void {
    for (const call of [...this.#calls.values()]) {
      if (path === 'both' || call.path === path) call.lose()
    }
  }

  #end(why: { readonly reason: string; readonly malformed: boolean }): void {
    if (this.#closed) return
    this.#closed = true
    this.#timer.cancel()
    this.#outbox.close()
    this.#link.close()
    this.#lose('both')
    this.#owner.closed(this, why)
  }

  #frame(frame: Uint8Array): void {
    if (this.#closed) return
    this.#heard = this.#clock.now()
    this.#patience = LINK_SILENCE_MS
    try {
      let entries = 0
      readFrame(frame, (kind, entry) => {
        entries++
        if (!this.#closed) this.#entry(kind, entry)
      })
      // Whoever waits for it comes in a later microtask, and may give the frame back.
      if (entries === 1) this.#memory.lend(frame)
    } catch (error) {
      // Bad bytes, or a handler that finds the contents impossible. Everything else is a bug.
      if (!isSwarmdiskError(error, 'protocol')) throw error
      this.#end({ reason: error.message, malformed: true })
    }
  }

  #entry(kind: EntryKind, entry: CodecState): void {
    if (this.#greeted === (kind === 'hello')) malformed('a hello comes first and once')
    switch (kind) {
      case 'hello': {
        const hello = decodeHello(entry)
        this.#greeted = true
        this.#timer.cancel()
        this.#pingLater()
        return this.#owner.greeted(this, hello)
      }
      case 'ping':
        return
      case 'path':
        return this.#owner.announced(this, decodeFrom(pathCodec, entry))
      case 'request':
        return this.#request(this.#operation(entry), entry)
      case 'reply':
        return this.#reply(entry)
      case 'notice':
        return this.#notice(this.#operation(entry), entry)
    }
  }

  #operation(entry: CodecState): OperationName {
    return operationOf(readNumber(entry)) ?? malformed('an operation that this release has not')
  }

  #request(operation: OperationName, entry: CodecState): void {
    const { request, reply, path } = operations[operation]
    const id = readNumber(entry)
    if (reply === null) malformed('a notification that wants an answer')
    if (!this.#owner.accepts(this, operation)) return
    let answered = false
    const answer = (value: Reply<OperationName>): void => {
      assert(!answered, `a request is answered once: ${operation}`)
      answered = true
      if (this.#closed) return
      this.#outbox.push(
        messageParcel(
          { kind: 'reply', lane: path, numbers: [id] },
          // Reply and codec are of the same operation, as `deliver` makes sure.
          reply as MessageCodec<Reply<OperationName>>,
          value,
        ),
      )
    }
    this.#owner.deliver(this, operation, { request: request.decode(entry), answer })
  }

  #notice(operation: OperationName, entry: CodecState): void {
    const { request, reply } = operations[operation]
    if (reply !== null) malformed('a request that wants no answer')
    if (!this.#owner.accepts(this, operation)) return
    this.#owner.deliver(this, operation, { request: request.decode(entry), answer: ignoreReply })
  }

  #reply(entry: CodecState): void {
    const id = readNumber(entry)
    if (id >= this.#nextCall) malformed('an answer that nobody asked for')
    // Without a call: it ended before, by its deadline or with its data path.
    this.#calls.get(id)?.reply(entry)
  }

  #keepAlive(due: number): void {
    const now = this.#clock.now()
    // If this timer itself comes late, the whole process was paused, and what the peer has sent in
    // the meantime is still unread: that is no silence of the peer.
    if (now - due > 2 * PING_INTERVAL_MS) this.#heard = now
    if (now - this.#heard > this.#patience) return this.close('no sign of life')
    this.#outbox.push(ownParcel('ping'))
    this.#pingLater()
  }

  #pingLater(): void {
    const due = this.#clock.now() + PING_INTERVAL_MS
    this.#timer = this.#clock.after(PING_INTERVAL_MS, () => this.#keepAlive(due))
  }
}
