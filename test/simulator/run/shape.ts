// What kind of run a seed is, known before it runs. Pure.
//
// - `shared`: several clients write. At any time one in-sync replica of each shard has kept its
//   memory, so nothing acknowledged may ever be missing.
// - `exclusive`: one client writes. Anything may die, all servers at once included.
// - `rotten`: as shared, and bits flip on one server; then servers die one at a time.
import { streamOf } from '../seeded-random.js'

export const MODES = ['shared', 'exclusive', 'rotten'] as const
export type Mode = (typeof MODES)[number]

export interface Shape {
  readonly mode: Mode
  readonly servers: number
  readonly managers: number
}

const HALF = ['shared', 'shared', 'shared'] as const
const DRAWN: readonly Mode[] = [...HALF, 'exclusive', 'exclusive', 'rotten']

export function shapeOf(seed: number): Shape {
  const servers = [3, 3, 3, 2, 4][seed % 5]!
  const mode = streamOf(seed, 'mode').pick(DRAWN)
  return {
    // One good copy beside the rotten one must be left when a server is down.
    mode: mode === 'rotten' && servers < 3 ? 'shared' : mode,
    servers,
    managers: seed % 3 === 0 ? 3 : 1,
  }
}

/** `count` seeds from `from` on, of one kind of run or of all. */
export function* seedsFrom(
  from: number,
  { count, mode }: { readonly count: number; readonly mode?: Mode | undefined },
): Generator<number> {
  let left = count
  for (let seed = from; left > 0; seed++) {
    if (mode !== undefined && shapeOf(seed).mode !== mode) continue
    left--
    yield seed
  }
}
