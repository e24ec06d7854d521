// For how long servers have been down, at whatever fraction of a millisecond it began.
import test from 'tape'
import type { PeerId } from '../../../src/base/brands.js'
import { Absences } from '../../../src/manager/movement/absences.js'
import { clusterWithVolume, downOf, must, serverId } from '../../layout/clusters.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'

const [A, B, C] = [1, 2, 3].map(serverId) as [PeerId, PeerId, PeerId]

test('a server is gone when the timer says so', async t => {
  const start = clusterWithVolume()
  const down = must(start, downOf(start, C, A, B))
  for (const moment of [0, 0.1, 4155.836, 77_777.777]) {
    const clock = new VirtualClock()
    const seen: number[] = []
    const absences: Absences = new Absences({
      ...{ clock, rebuildAfter: 20_000 },
      onGone: () => seen.push(absences.gone.size),
    })
    await clock.advance(moment)
    absences.adopt(down)
    await clock.advance(19_999)
    t.equal(absences.gone.size, 0)
    await clock.advance(2)
    t.deepEqual(seen, [1], `begun at ${moment}`)
    absences.adopt(start)
    t.equal(absences.gone.size, 0, 'it is back')
    absences.stop()
  }
  t.end()
})
