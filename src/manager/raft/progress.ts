// How far one follower (or learner) is, as its leader knows, and what may be sent to it next:
//
//   probe       one message at a time, until one is accepted
//   replicate   as many as RAFT_APPENDS_IN_FLIGHT, without waiting for answers
//   snapshot    one snapshot, and nothing until it is answered
//
//   probe ──accepted──► replicate ──refused, no answer, reconnected──► probe
//   either ──what is next is not in the log any more──► snapshot ──accepted──► replicate
//
// A follower that has lost what it had acknowledged says so by a refusal; all that is known of it
// is given up then.
import type { LogIndex } from '../../net/manager-messages.js'
import { RAFT_APPENDS_IN_FLIGHT } from '../../base/limits.js'
import { logIndex, type Position, type RaftLog } from './raft-log.js'

export type ProgressMode = 'probe' | 'replicate' | 'snapshot'

export class Progress {
  #mode: ProgressMode = 'probe'
  #match = logIndex(0)
  #next: LogIndex
  // Of a probe or snapshot: when it was sent. Of appends: when the oldest one was, or an answer
  // came. Null: nothing is unanswered.
  #waitingSince: number | null = null
  // The last index of each append that is unanswered, oldest first.
  #inFlight: LogIndex[] = []
  // What it was last told to be committed, if that arrived.
  #told = logIndex(0)
  #heardAt: number
  #promisedFrom = -Infinity

  constructor(next: LogIndex, now: number) {
    this.#next = next
    this.#heardAt = now
  }

  get mode(): ProgressMode {
    return this.#mode
  }

  /** Accepted and durable there. */
  get match(): LogIndex {
    return this.#match
  }

  get next(): LogIndex {
    return this.#next
  }

  get inFlight(): number {
    return this.#inFlight.length
  }

  get told(): LogIndex {
    return this.#told
  }

  /** When it last answered anything. */
  get heardAt(): number {
    return this.#heardAt
  }

  /** From this moment on, at least, it promised for a while to vote for nobody else. */
  get promisedFrom(): number {
    return this.#promisedFrom
  }

  /** Since when an answer is due; null if none is. */
  get waitingSince(): number | null {
    return this.#waitingSince
  }

  heard(now: number): void {
    this.#heardAt = now
  }

  /** It answered a heartbeat that was sent then. */
  promised(sentAt: number): void {
    this.#promisedFrom = Math.max(this.#promisedFrom, sentAt)
  }

  tell(commit: LogIndex): void {
    if (commit > this.#told) this.#told = commit
  }

  /** What it may be sent now. */
  wants(log: RaftLog): 'append' | 'snapshot' | null {
    if (this.#mode === 'replicate') {
      const idle = this.#next > log.lastIndex || this.#inFlight.length >= RAFT_APPENDS_IN_FLIGHT
      if (idle) return null
    } else if (this.#waitingSince !== null) {
      return null
    }
    return this.#next <= log.base.index ? 'snapshot' : 'append'
  }

  /** An append was sent that ends with `last`. */
  sent(last: LogIndex, now: number): void {
    this.#waitingSince ??= now
    if (this.#mode !== 'replicate') {
      this.#mode = 'probe'
      return
    }
    this.#next = logIndex(last + 1)
    this.#inFlight.push(last)
  }

  sentSnapshot(now: number): void {
    this.#mode = 'snapshot'
    this.#inFlight = []
    this.#waitingSince = now
  }

  accepted(index: LogIndex, log: RaftLog, now: number): void {
    if (index > this.#match) this.#match = index
    if (this.#mode === 'replicate') this.#acknowledge(index, now)
    // Otherwise an old answer, to something before this probe or snapshot, says too little.
    else if (this.#mode === 'probe' && index >= this.#next - 1) this.#replicate()
    else if (this.#mode === 'snapshot' && this.#match >= log.base.index) this.#replicate()
  }

  /** `hint`: the last that may fit, with the term that the follower has there. */
  refused(hint: Position, log: RaftLog): void {
    if (this.#mode === 'snapshot') return
    // One of several refusals with the same cause, or one older than this probe.
    if (this.#mode === 'probe' && hint.index >= this.#next - 1) return
    const fits = log.lastAtMost(hint.index, hint.term)
    if (fits < this.#match) this.#match = fits
    this.#probe(logIndex(fits + 1))
  }

  /** What was sent and not answered may be lost. */
  startOver(): void {
    if (this.#mode === 'snapshot') this.#waitingSince = null
    else this.#probe(logIndex(this.#match + 1))
  }

  #acknowledge(index: LogIndex, now: number): void {
    this.#inFlight = this.#inFlight.filter(last => last > index)
    this.#waitingSince = this.#inFlight.length > 0 ? now : null
    if (this.#next <= this.#match) this.#next = logIndex(this.#match + 1)
  }

  #replicate(): void {
    this.#mode = 'replicate'
    this.#next = logIndex(this.#match + 1)
    this.#inFlight = []
    this.#waitingSince = null
  }

  #probe(next: LogIndex): void {
    this.#mode = 'probe'
    this.#next = next
    this.#inFlight = []
    this.#waitingSince = null
    this.#told = logIndex(0)
  }
}
