// The words in which faults are told. An act is a list of steps: wires are cut, moments of the
// protocol are awaited, processes die and links break.
//
// The cast are the players of one shard, as of the beginning of the act: its primary P, two other
// replicas F and G, a manager M (the leader, where there are several) and others N and O, clients C
// and D. A step whose player does not exist is left out.
import type { RaftMessage } from '../../../src/net/manager-messages.js'
import type { OperationName } from '../../../src/net/operations.js'
import type { SeededRandom } from '../seeded-random.js'
import type { Moment } from '../watched-peers.js'

export type Player = 'P' | 'F' | 'G' | 'M' | 'N' | 'O' | 'C' | 'D'
/** Of pauses, cuts and absences. `lease`: until one is over; `ages`: beyond all that follows. */
export type Duration = 'none' | 'short' | 'middle' | 'long' | 'lease' | 'ages'

export type Step =
  | { readonly kind: 'cut'; readonly from: Player; readonly to: Player; readonly for: Duration }
  | { readonly kind: 'mend' }
  | {
      readonly kind: 'await'
      readonly operation: OperationName
      readonly moment: Moment
      readonly at?: Player
      /** The other side of the message. */
      readonly by?: Player
      /** Only if a follower says with it where to go on, as on a new path. */
      readonly resuming?: true
      /** Only an answer that says that it was done; waits for all servers to return, if need be. */
      readonly done?: true
      /** Only a message to managers of this kind; waits for them to elect a leader, if need be. */
      readonly of?: RaftMessage['kind']
      readonly count?: number
      /** Comes after votes, or the copying of a shard: it is waited for a while longer. */
      readonly late?: true
    }
  /** That a FLUSH of a whole volume was acknowledged. */
  | { readonly kind: 'await flush' }
  | { readonly kind: 'pause'; readonly for: Duration }
  | { readonly kind: 'kill'; readonly player: Player; readonly back: Duration }
  /** The same with its power, and all that its disk had. */
  | { readonly kind: 'wipe'; readonly player: Player; readonly back: Duration }
  /** Its process stands still. */
  | { readonly kind: 'freeze'; readonly player: Player; readonly for: Duration }
  | { readonly kind: 'break'; readonly between: readonly [Player, Player] }
  /** Of all servers; this one comes back first, if any is named. */
  | { readonly kind: 'power cut'; readonly first?: Player }
  | { readonly kind: 'direct links' }
  /** Fills somebody's disk, or empties the one that is full. */
  | { readonly kind: 'disk' }
  /** Writes to the disk of this player fail for a while. */
  | { readonly kind: 'refuse'; readonly player: Player; readonly for: Duration }
  /** Its disk takes its time. */
  | { readonly kind: 'slow'; readonly player: Player; readonly for: Duration }
  /** One more storage server, as long as there are few. */
  | { readonly kind: 'join' }
  /** An operator has this server emptied. */
  | { readonly kind: 'drain'; readonly player: Player }
  /** Or one of those that are being emptied is to be so no more. */
  | { readonly kind: 'undrain' }
  /** Bits flip on the rotten server, if there is one. */
  | { readonly kind: 'rot' }
  /** The clients that have come to rest begin to work again, perhaps with many a FLUSH. */
  | { readonly kind: 'work'; readonly what: 'all' | 'flushes' }

/** Steps of which chance leaves some out, or takes one of several. */
export type Plot = (random: SeededRandom) => readonly (Step | null)[]

export const cut = (from: Player, to: Player, time: Duration = 'middle'): Step => {
  return { kind: 'cut', from, to, for: time }
}
type Await = Extract<Step, { kind: 'await' }>

export const on = (operation: OperationName, moment: Moment, at?: Player, by?: Player): Await => {
  return { kind: 'await', operation, moment, ...(at ? { at } : {}), ...(by ? { by } : {}) }
}
export const resumed = (follower: Player, primary: Player): Step => {
  const moment = { operation: 'replicated', moment: 'sent' } as const
  return { kind: 'await', ...moment, at: follower, by: primary, resuming: true }
}
/** Of a copy that was ordered just now. */
export const later = (moment: Await): Await => ({ ...moment, late: true })
export const nth = (count: number, moment: Await): Step => {
  return { ...moment, count }
}
/** A write of the client was done, somewhere. */
export const written = (by: Player): Await => ({ ...on('write', 'answered'), by, done: true })
export const kill = (player: Player, back: Duration = 'short'): Step => {
  return { kind: 'kill', player, back }
}
export const refuse = (player: Player, time: Duration): Step => {
  return { kind: 'refuse', player, for: time }
}
export const wipe = (player: Player, back: Duration): Step => ({ kind: 'wipe', player, back })
export const freeze = (player: Player, time: Duration): Step => {
  return { kind: 'freeze', player, for: time }
}
export const slow = (player: Player, time: Duration): Step => {
  return { kind: 'slow', player, for: time }
}
export const drain = (player: Player): Step => ({ kind: 'drain', player })
export const UNDRAIN: Step = { kind: 'undrain' }
export const snap = (a: Player, b: Player): Step => ({ kind: 'break', between: [a, b] })
export const pause = (time: Duration): Step => ({ kind: 'pause', for: time })
export const MEND: Step = { kind: 'mend' }
export const FLUSHED: Step = { kind: 'await flush' }
export const WORK: Step = { kind: 'work', what: 'all' }
export const FLUSHES: Step = { kind: 'work', what: 'flushes' }
export const ROT: Step = { kind: 'rot' }
export const powerCut = (first: Player): Step => ({ kind: 'power cut', first })

export function maybe(random: SeededRandom, chance: number, step: Step): Step | null {
  return random.chance(chance) ? step : null
}

/** Plots whose rules show rarely are played more often. */
export function often(weight: number, plot: Plot): readonly Plot[] {
  return Array.from({ length: weight }, () => plot)
}

/** Both ways. */
export function apart(a: readonly Player[], b: readonly Player[], time: Duration): readonly Step[] {
  return a.flatMap(x => b.flatMap(y => [cut(x, y, time), cut(y, x, time)]))
}
