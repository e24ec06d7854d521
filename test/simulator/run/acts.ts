// The vocabulary of faults, and what is said in it. An act is a list of steps: wires are cut,
// moments of the protocol are awaited, processes die and links break. Half of the acts are plots:
// each puts one rule of the protocol in danger (mutants.ts proves it), with variations by chance.
// The others are made of steps at random.
//
// The cast are the players of one shard, as of the beginning of the act: its primary P, two other
// replicas F and G, a manager M (the leader, where there are several) and others N and O, clients C
// and D. A step whose player does not exist is left out.
import type { OperationName } from '../../../src/net/operations.js'
import type { SeededRandom } from '../seeded-random.js'
import type { Moment } from '../watched-peers.js'

export type Player = 'P' | 'F' | 'G' | 'M' | 'N' | 'O' | 'C' | 'D'
/** Of pauses, cuts and absences. */
export type Duration = 'none' | 'short' | 'middle' | 'long'

export type Step =
  | { readonly kind: 'cut'; readonly from: Player; readonly to: Player; readonly for: Duration }
  | { readonly kind: 'mend' }
  | {
      readonly kind: 'await'
      readonly operation: OperationName
      readonly moment: Moment
      readonly at?: Player
      readonly count?: number
    }
  /** That a FLUSH of a whole volume was acknowledged. */
  | { readonly kind: 'await flush' }
  | { readonly kind: 'pause'; readonly for: Duration }
  | { readonly kind: 'kill'; readonly player: Player; readonly back: Duration }
  | { readonly kind: 'break'; readonly between: readonly [Player, Player] }
  /** Of all servers; this one comes back first, if any is named. */
  | { readonly kind: 'power cut'; readonly first?: Player }
  | { readonly kind: 'direct links' }
  | { readonly kind: 'disk' }

/** Steps of which chance leaves some out, or takes one of several. */
type Plot = (random: SeededRandom) => readonly (Step | null)[]

const cut = (from: Player, to: Player, time: Duration = 'middle'): Step => {
  return { kind: 'cut', from, to, for: time }
}
const on = (operation: OperationName, moment: Moment, at?: Player): Step => {
  return { kind: 'await', operation, moment, ...(at ? { at } : {}) }
}
const kill = (player: Player, back: Duration = 'short'): Step => ({ kind: 'kill', player, back })
const snap = (a: Player, b: Player): Step => ({ kind: 'break', between: [a, b] })
const pause = (time: Duration): Step => ({ kind: 'pause', for: time })
const MEND: Step = { kind: 'mend' }
const FLUSHED: Step = { kind: 'await flush' }

function maybe(random: SeededRandom, chance: number, step: Step): Step | null {
  return random.chance(chance) ? step : null
}

const PLOTS: readonly Plot[] = [
  // A write is at some replicas only, its client is gone or hears nothing, and another replica
  // restarts: who settles?
  random => [
    cut('P', 'F'),
    random.chance(0.5) ? on('replicate', 'arrived', 'G') : on('write', 'arrived', 'P'),
    random.chance(0.6) ? kill('C') : cut('M', 'C'),
    kill('G'),
    maybe(random, 0.5, pause('short')),
    maybe(random, 0.3, kill(random.pick(['P', 'F']))),
  ],
  // The same, and the primary dies: the next one has to ask who has seen what.
  random => [
    cut('P', random.pick(['F', 'G'])),
    on('replicate', 'arrived'),
    maybe(random, 0.5, kill('C')),
    maybe(random, 0.3, pause('short')),
    kill('P'),
    maybe(random, 0.3, cut('M', random.pick(['F', 'G', 'C']))),
  ],
  // All have it, but the primary does not know.
  random => [
    cut(random.pick(['F', 'G']), 'P'),
    on('replicate', 'arrived'),
    maybe(random, 0.4, cut('P', 'C')),
    kill(random.pick(['P', 'F', 'G'])),
    maybe(random, 0.5, pause('short')),
    maybe(random, 0.5, kill(random.pick(['P', 'F', 'G']))),
  ],
  // Executed, the client is not told; much later it asks again, perhaps somebody else.
  random => [
    cut('P', 'C', random.pick(['middle', 'long'])),
    on('write', 'answered', 'P'),
    maybe(random, 0.5, pause('short')),
    maybe(random, 0.5, kill(random.pick(['P', 'F', 'G']))),
    pause(random.pick(['short', 'middle'])),
    MEND,
    snap('C', 'P'),
  ],
  // So, while a replica restarts, is taken in again, and becomes the primary.
  random => [
    cut('P', 'C', 'long'),
    on('write', 'answered', 'P'),
    kill('F', 'none'),
    on('caught-up-proposal', 'arrived', 'M'),
    on('configuration', 'arrived', 'F'),
    maybe(random, 0.5, kill('G')),
    kill('P'),
    pause('short'),
    MEND,
    snap('C', 'P'),
  ],
  // Committed, but a follower is not told, nor is the client; that follower becomes the primary.
  random => [
    cut('P', 'C', 'long'),
    on('replicate', 'arrived', 'F'),
    cut('P', 'F', 'short'),
    on('write', 'answered', 'P'),
    kill('G', 'none'),
    on('gather', 'answered', 'F'),
    pause(random.pick(['short', 'middle'])),
    kill('P'),
    pause(random.pick(['short', 'middle'])),
    MEND,
    snap('C', 'P'),
  ],
  // Catching up, with trouble in the middle.
  random => [
    kill('F', 'none'),
    on(random.pick(['summaries', 'index-page', 'blocks'] as const), 'answered'),
    random.pick([kill('P'), kill('G'), snap('P', 'F'), cut('P', 'F'), cut('F', 'P'), kill('F')]),
    maybe(random, 0.5, pause('short')),
    maybe(random, 0.5, random.pick([kill('P'), kill('G'), MEND, snap('P', 'F')])),
  ],
  // A write that the others do not have while a replica becomes in-sync; then the primary dies.
  random => [
    kill('F', 'none'),
    on('caught-up', 'arrived', 'P'),
    cut('P', 'G', 'middle'),
    on('replicate', 'arrived', 'F'),
    maybe(random, 0.7, on('caught-up-proposal', 'arrived', 'M')),
    maybe(random, 0.7, on('configuration', 'arrived', 'F')),
    maybe(random, 0.6, kill('C')),
    kill('P'),
  ],
  // Counted, perhaps proposed, and then out of reach.
  random => [
    kill('F', 'none'),
    on('caught-up', random.pick(['arrived', 'answered', 'returned'] as const)),
    maybe(random, 0.5, on('caught-up-proposal', 'sent')),
    random.pick([cut('P', 'F'), snap('P', 'F'), cut('F', 'P')]),
    on('write', 'answered', 'P'),
    random.pick([kill('P'), kill('F'), kill('G'), MEND]),
  ],
  // Flushed, and all power is gone.
  random => [
    maybe(random, 0.3, kill('F', 'none')),
    FLUSHED,
    { kind: 'power cut', first: random.pick(['P', 'F', 'G']) },
  ],
  // A FLUSH while a replica is about to become in-sync; it is the one that comes back first.
  random => [
    kill('F', 'none'),
    on('caught-up', random.pick(['arrived', 'returned'] as const)),
    maybe(random, 0.7, FLUSHED),
    maybe(random, 0.8, on('configuration', 'arrived', 'F')),
    maybe(random, 0.5, pause('short')),
    { kind: 'power cut', first: 'F' },
  ],
  // Memory is lost while writes are under way, and not everybody knows at once.
  random => [
    maybe(random, 0.5, cut('M', 'C')),
    on('write', random.pick(['arrived', 'answered'] as const)),
    { kind: 'power cut' },
    maybe(random, 0.5, pause('short')),
    maybe(random, 0.4, { kind: 'power cut' }),
    maybe(random, 0.2, kill('C')),
  ],
  // Some learn of a new allocation much later than others.
  random => [
    cut('M', random.pick(['P', 'F', 'G', 'C', 'D'])),
    kill(random.pick(['P', 'F', 'G'])),
    on('configuration', 'arrived'),
    maybe(random, 0.6, kill(random.pick(['P', 'F', 'G']))),
  ],
  // The manager dies at the moment of a decision.
  random => [
    kill(random.pick(['P', 'F', 'G']), 'none'),
    on(random.pick(['register', 'caught-up-proposal'] as const), 'arrived'),
    maybe(random, 0.5, on('configuration', 'sent')),
    kill('M'),
  ],
]

/** Both ways. */
function apart(a: readonly Player[], b: readonly Player[], time: Duration): readonly Step[] {
  return a.flatMap(x => b.flatMap(y => [cut(x, y, time), cut(y, x, time)]))
}

/** With several managers: who leads, who may serve, what is committed. */
const COUNCIL_PLOTS: readonly Plot[] = [
  // The leader dies in the middle of a decision; what the others have of it decides.
  random => [
    kill(random.pick(['P', 'F', 'G']), 'none'),
    on(random.pick(['register', 'caught-up-proposal'] as const), 'arrived'),
    maybe(random, 0.5, cut('M', random.pick(['N', 'O']))),
    maybe(random, 0.6, on('raft', 'arrived', random.pick(['N', 'O'] as const))),
    kill('M', random.pick(['none', 'middle', 'long'])),
    maybe(random, 0.4, kill(random.pick(['N', 'O']))),
  ],
  // A leader without followers: it must commit nothing, and give no lease for long.
  random => [
    ...apart(['M'], ['N', 'O'], 'long'),
    maybe(random, 0.6, kill(random.pick(['P', 'F', 'G']), 'middle')),
    pause('long'),
    maybe(random, 0.5, kill(random.pick(['P', 'F', 'G']))),
    MEND,
  ],
  // It is heard, but does not hear.
  random => [
    cut('N', 'M', 'long'),
    cut('O', 'M', 'long'),
    maybe(random, 0.5, kill('F', 'middle')),
    pause('long'),
    kill(random.pick(['M', 'N', 'O'])),
  ],
  // A primary out of everybody's reach but its clients': its lease ends, others go on.
  random => [
    ...apart(['P'], ['M', 'N', 'O', 'F', 'G'], 'long'),
    pause('long'),
    maybe(random, 0.5, pause('long')),
    maybe(random, 0.5, kill(random.pick(['M', 'N']))),
    MEND,
  ],
  // The same for another replica, which some clients go on reading from.
  random => [
    ...apart(['F'], ['M', 'N', 'O', 'P', 'G'], 'long'),
    ...(random.chance(0.5) ? apart(['C'], ['M', 'N', 'O'], 'long') : []),
    pause('long'),
    maybe(random, 0.5, on('write', 'answered', 'P')),
    maybe(random, 0.5, pause('middle')),
  ],
  // Out of reach of the managers only: declared down while all its data paths work.
  random => [
    ...apart([random.pick(['P', 'F'])], ['M', 'N', 'O'], 'long'),
    ...(random.chance(0.5) ? apart(['C'], ['M', 'N', 'O'], 'long') : []),
    pause('long'),
    maybe(random, 0.5, kill('M', 'none')),
  ],
  // No majority for longer than a lease: nothing is decided, reads are confirmed.
  random => [
    kill('N', 'long'),
    kill('O', 'long'),
    pause('long'),
    maybe(random, 0.5, kill(random.pick(['P', 'F', 'G']), 'short')),
    maybe(random, 0.3, kill('M', 'none')),
  ],
  // All managers lose their power.
  random => [
    maybe(random, 0.5, kill('F', 'none')),
    maybe(random, 0.5, on('raft', 'arrived')),
    kill('M', 'none'),
    kill('N', 'short'),
    kill('O', random.pick(['none', 'middle'])),
  ],
  // A server comes back while its being down is decided.
  random => [
    kill(random.pick(['P', 'F']), 'long'),
    pause('long'),
    on('register', 'arrived'),
    random.pick([kill('M'), cut('M', 'N'), kill('F', 'none')]),
  ],
]

const PLAYERS: readonly Player[] = ['P', 'P', 'P', 'F', 'F', 'G', 'M', 'C', 'D']
const MOMENTS: readonly (readonly [OperationName, Moment])[] = [
  ['write', 'arrived'],
  ['write', 'answered'],
  ['replicate', 'arrived'],
  ['replicated', 'arrived'],
  ['committed', 'arrived'],
  ['flush', 'arrived'],
  ['sync', 'arrived'],
  ['sync', 'answered'],
  ['register', 'arrived'],
  ['configuration', 'arrived'],
  ['gather', 'arrived'],
  ['gather', 'returned'],
  ['blocks', 'answered'],
  ['caught-up', 'arrived'],
  ['caught-up', 'returned'],
  ['caught-up-proposal', 'arrived'],
]

function randomStep(random: SeededRandom): Step {
  const chance = random.below(100)
  const player = random.pick(PLAYERS)
  const other = random.pick(PLAYERS)
  if (chance < 30) return { ...on(...random.pick(MOMENTS)), count: 1 + random.below(4) } as Step
  if (chance < 38) return pause(random.pick(['short', 'middle']))
  if (chance < 55) return cut(player, other, random.pick(['short', 'middle', 'middle', 'long']))
  if (chance < 75) return kill(player, random.pick(['none', 'short', 'short', 'middle', 'long']))
  if (chance < 83) return snap(player, other)
  if (chance < 87) return MEND
  if (chance < 90) return { kind: 'power cut' }
  if (chance < 92) return { kind: 'direct links' }
  return { kind: 'disk' }
}

/** `council`: there are several managers. */
export function drawAct(random: SeededRandom, council: boolean): readonly Step[] {
  if (council && random.chance(0.5)) {
    return random
      .pick(COUNCIL_PLOTS)(random)
      .filter(step => step !== null)
  }
  if (random.chance(0.6)) {
    return random
      .pick(PLOTS)(random)
      .filter(step => step !== null)
  }
  return Array.from({ length: 2 + random.below(5) }, () => randomStep(random))
}
