// Which of the links to a peer carries the data. Each side chooses, says so on the link it chose,
// and then sends its data there. The receiver takes data operations only from the link of the
// newest choice it heard of: what still arrives on another one was sent before the sender chose
// anew, and has ended with LOST there. So no retry is ever overtaken by what it replaces.
//
// Both sides should use the same link, and both must know that messages may have been lost. Choices
// are numbered; an announcement carries the number, and the newest one seen from the other side:
//
//   on the link we use    they knew our choice, yet chose anew  -> what they sent may be lost:
// choose
//                                                                  it again
//                         otherwise                             -> nothing to do
//   on another link       because we did, before we moved on    -> nothing: they will follow
//                         they knew our choice and left it      -> follow
//                         they did not know our choice          -> a direct link wins over the
// swarm
//                                                                  link; of one kind, the choice of
//                                                                  the smaller id wins
//
// Pure.
import { assert } from '../../base/assert.js'
import type { LinkKind } from '../link.js'
import type { PathAnnouncement } from './entry.js'

export interface DataLink {
  readonly kind: LinkKind
}

export class DataPath<L extends DataLink> {
  /** True for the one of the two peers whose choice wins among links of one kind. */
  readonly #decider: boolean
  #number: number
  #seen = 0
  #current: L | null = null
  /** Their newest choice. */
  #theirs: L | null = null

  constructor(options: { readonly decider: boolean; readonly number: number }) {
    this.#decider = options.decider
    this.#number = options.number
  }

  /** Null: not decided yet. */
  get current(): L | null {
    return this.#current
  }

  /** The peer's path number. */
  get number(): number {
    return this.#number
  }

  /** True: data operations that arrive on `link` count. */
  takesFrom(link: L): boolean {
    return this.#theirs === link
  }

  /** Uses `link` from now on; the first choice keeps the number given to the constructor. */
  choose(link: L, next: () => number, following = false): PathAnnouncement {
    if (this.#current !== null) {
      const number = next()
      assert(number > this.#number, 'path numbers grow')
      this.#number = number
    }
    this.#current = link
    return { number: this.#number, seen: this.#seen, following }
  }

  /** True: choose `link`, following them. */
  heard(link: L, announcement: PathAnnouncement): boolean {
    // Two links overtake each other: an older choice says nothing any more.
    if (announcement.number <= this.#seen) return false
    this.#seen = announcement.number
    this.#theirs = link
    if (this.#current === null) return true
    const knew = announcement.seen >= this.#number
    if (announcement.following) return false
    if (knew) return true
    if (link === this.#current) return false
    if (link.kind !== this.#current.kind) return link.kind === 'direct'
    return !this.#decider
  }
}
