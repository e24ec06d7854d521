// What happens next in a run: an act, drawn from its seed. Most of the acts are plots, the others
// are made of steps at random.
import type { OperationName } from '../../../src/net/operations.js'
import type { SeededRandom } from '../seeded-random.js'
import type { Moment } from '../watched-peers.js'
import type { Mode } from './shape.js'
import { COUNCIL_PLOTS } from './council-plots.js'
import { POWER_PLOTS, ROTTEN_PLOTS, SHARD_PLOTS } from './shard-plots.js'
import {
  cut,
  kill,
  MEND,
  nth,
  on,
  pause,
  snap,
  type Player,
  type Plot,
  type Step,
} from './steps.js'

const PLOTS: Readonly<Record<Mode, readonly Plot[]>> = {
  shared: SHARD_PLOTS,
  exclusive: [...SHARD_PLOTS, ...POWER_PLOTS],
  rotten: [...SHARD_PLOTS, ...Array.from({ length: 4 }, () => ROTTEN_PLOTS).flat()],
}

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
  if (chance < 30) return nth(1 + random.below(4), on(...random.pick(MOMENTS)))
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
export function drawAct(
  random: SeededRandom,
  { mode, council }: { readonly mode: Mode; readonly council: boolean },
): readonly Step[] {
  const plots = council && random.chance(0.5) ? COUNCIL_PLOTS : PLOTS[mode]
  if (plots === COUNCIL_PLOTS || random.chance(0.7)) {
    return random
      .pick(plots)(random)
      .filter(step => step !== null)
  }
  return Array.from({ length: 2 + random.below(5) }, () => randomStep(random))
}
