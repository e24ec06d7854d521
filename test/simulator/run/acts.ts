// What happens next in a run: an act, drawn from its seed. Most of the acts are plots, the others
// are made of steps at random.
import type { OperationName } from '../../../src/net/operations.js'
import type { SeededRandom } from '../seeded-random.js'
import type { Moment } from '../watched-peers.js'
import type { Mode } from './shape.js'
import { COUNCIL_PLOTS } from './plots/council-plots.js'
import { MOVING_PLOTS } from './plots/moving-plots.js'
import { PROCESS_PLOTS } from './plots/process-plots.js'
import { POWER_PLOTS, ROTTEN_PLOTS, SHARD_PLOTS } from './plots/shard-plots.js'
import {
  cut,
  drain,
  freeze,
  kill,
  MEND,
  nth,
  on,
  pause,
  slow,
  snap,
  UNDRAIN,
  wipe,
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
  if (chance < 71) return kill(player, random.pick(['none', 'short', 'short', 'middle', 'long']))
  if (chance < 77) return snap(player, other)
  if (chance < 80) return MEND
  if (chance < 83) return { kind: 'power cut' }
  if (chance < 85) return { kind: 'direct links' }
  if (chance < 89) return { kind: 'disk' }
  if (chance < 92) return freeze(player, random.pick(['middle', 'long', 'lease', 'ages']))
  if (chance < 94) return slow(player, random.pick(['middle', 'long']))
  if (chance < 96) return wipe(player, random.pick(['none', 'short', 'middle', 'long']))
  if (chance < 97) return { kind: 'join' }
  return random.chance(0.5) ? drain(player) : UNDRAIN
}

interface Play {
  readonly mode: Mode
  /** There are several managers. */
  readonly council: boolean
}

/** Null: steps at random. */
function pickPlots(random: SeededRandom, { mode, council }: Play): readonly Plot[] | null {
  if (council && random.chance(0.45)) return COUNCIL_PLOTS
  const chance = random.below(100)
  if (chance < 8) return MOVING_PLOTS
  if (chance < 18) return PROCESS_PLOTS
  return chance < 75 ? PLOTS[mode] : null
}

export function drawAct(random: SeededRandom, { mode, council }: Play): readonly Step[] {
  const plots = pickPlots(random, { mode, council })
  if (plots !== null) {
    return random
      .pick(plots)(random)
      .filter(step => step !== null)
  }
  return Array.from({ length: 2 + random.below(5) }, () => randomStep(random))
}
