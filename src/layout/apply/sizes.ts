// Volumes grow while they are used (design §7). Extent e is on shard e mod S, whatever the size is,
// and S stays: so every block stays where it is, and no allocation changes. Nobody has to be
// stopped, settled or fenced for it, because the epoch rule alone keeps everybody right:
//
// - Who knows the old size asks nothing beyond it, and is served as before (a <= c < s).
// - Who knows the new size asks with its epoch or a later one; a server that is behind it waits for
//   that configuration before it decides (c > s), and then knows that size, too.
// - Replicas store what their primary sends them, wherever it is in the shard.
//
// For that to hold a size must never go back, so a volume is not made smaller, and a rollback
// keeps its size. It is also why new bytes are zeroes: nothing was ever written there, in no layer.
import type { Epoch } from '../../base/brands.js'
import type { ChangeOf } from '../change.js'
import type { Configuration } from '../configuration.js'
import { sizeProblem } from '../names.js'
import { refuse, type Refusal } from '../outcome.js'
import { eachVolume } from './snapshots.js'

export function volumeResized(
  before: Configuration,
  change: ChangeOf<'volume-resized'>,
  epoch: Epoch,
): Configuration | Refusal {
  const { size } = change
  return eachVolume(before, { of: [change], epoch }, volume => {
    const problem = sizeProblem(size)
    if (problem !== null) return refuse('bad-size', problem)
    if (size > volume.size) return { ...volume, size }
    if (size === volume.size) {
      return refuse('no-change', `Volume "${volume.name}" has ${size} bytes already.`)
    }
    return refuse(
      'smaller',
      `Volume "${volume.name}" has ${volume.size} bytes, and no volume is made smaller, since ` +
        'what is at its end would be lost: copy what you need into a new volume of that size.',
    )
  })
}
