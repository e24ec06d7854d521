// When a shard may go on from a copy that was behind: only when every server that has an in-sync
// one is down, and what the next configuration then says.
import test from 'tape'
import { epoch, incarnation, shardIndex, volumeId, type PeerId } from '../../../src/base/brands.js'
import type { ChangeOf } from '../../../src/layout/change.js'
import type { Configuration } from '../../../src/layout/configuration.js'
import { planReturn } from '../../../src/layout/placement/planner.js'
import {
  backUp,
  clusterWithVolume,
  downOf,
  must,
  reallocate,
  refusal,
  replica,
  restart,
  server,
  serverId,
  shardOf,
  VOLUME,
} from '../clusters.js'

const start = clusterWithVolume()
const [A, B, C] = shardOf(start).replicas.map(({ server: id }) => id) as [PeerId, PeerId, PeerId]

function promote(
  configuration: Configuration,
  fields: Partial<ChangeOf<'shard-promoted'>> = {},
): ChangeOf<'shard-promoted'> {
  return {
    ...{ kind: 'shard-promoted', volume: VOLUME, shard: shardIndex(0), server: C },
    expected: shardOf(configuration).epoch,
    ...fields,
  }
}

/** c was left behind, and is back and stale; then a and b went, one after the other. */
const behind = backUp(must(start, downOf(start, C, A, B)), C)
const aGone = must(behind, downOf(behind, A, C))
const gone = must(aGone, downOf(aGone, B, C))

test('the copies that are in-sync stay on record while nobody gives them up', t => {
  t.deepEqual(
    shardOf(gone).replicas,
    [A, B].map(id => ({ server: id, state: 'in-sync', incarnation: 1 })),
  )
  t.deepEqual(shardOf(gone).stale, [C])
  t.end()
})

test('it goes on from the chosen one alone, in a new generation', t => {
  const after = must(gone, promote(gone))
  t.deepEqual(shardOf(after), {
    epoch: after.epoch,
    generation: shardOf(gone).generation + 1,
    replicas: [{ server: C, state: 'in-sync', incarnation: incarnation(1) }],
    stale: shardOf(after).stale,
  })
  t.deepEqual([...shardOf(after).stale].sort(), [A, B].sort(), 'nobody is forgotten')
  t.equal(shardOf(after, 1), shardOf(gone, 1), 'the other shards are untouched')
  t.equal(refusal(after, promote(after)), 'data-loss', 'it is in-sync now, and not down')
  t.equal(refusal(after, promote(gone)), 'outdated', 'once is enough')
  t.end()
})

test('the newest start of the chosen server counts', t => {
  const again = restart(gone, C)
  const after = must(again, promote(again))
  t.deepEqual(shardOf(after).replicas, [
    { server: C, state: 'in-sync', incarnation: incarnation(2) },
  ])
  t.end()
})

test('while a server that has an in-sync copy is not down, nothing is given up', t => {
  t.equal(refusal(behind, promote(behind)), 'data-loss', 'both are up')
  const registered = backUp(gone, B)
  t.equal(refusal(registered, promote(registered)), 'data-loss', 'one is back as it was')
  t.equal(refusal(registered, promote(gone)), 'outdated', 'decided before it came back')
  const restarted = restart(gone, B)
  t.equal(refusal(restarted, promote(restarted)), 'data-loss', 'one was started again')
  t.end()
})

test('a copy that is in-sync, away or elsewhere is not chosen', t => {
  const inSync = shardOf(gone).replicas[0]!.server
  t.equal(refusal(gone, promote(gone, { server: inSync })), 'data-loss', 'start it instead')
  const away = must(gone, downOf(gone, C))
  t.equal(refusal(away, promote(away)), 'bad-allocation', 'down')
  const four = must(gone, { kind: 'server-registered', server: server(4) })
  t.equal(refusal(four, promote(four, { server: serverId(4) })), 'bad-allocation', 'no copy')
  t.equal(refusal(gone, promote(gone, { server: serverId(9) })), 'no-such-server')
  t.equal(refusal(gone, promote(gone, { volume: volumeId(7) })), 'no-such-volume')
  t.equal(refusal(gone, promote(gone, { shard: shardIndex(77) })), 'no-such-shard')
  t.equal(refusal(gone, promote(gone, { expected: epoch(1) })), 'outdated')
  t.end()
})

test('a syncing copy may be chosen, and another one goes on syncing, from it', t => {
  const four = must(start, { kind: 'server-registered', server: server(4) })
  const [a, b] = shardOf(four).replicas.slice(0, 2)
  const D = serverId(4)
  const replicas = [a!, replica(four, C), replica(four, D)]
  const syncing = must(four, reallocate(four, { replicas, stale: [b!.server] }))
  const lost = must(syncing, downOf(syncing, A))
  const after = must(lost, promote(lost))
  t.deepEqual(
    shardOf(after).replicas.map(({ server: id, state }) => [id, state]),
    [
      [C, 'in-sync'],
      [D, 'syncing'],
    ],
  )
  t.deepEqual(shardOf(after).stale, [B, A])
  t.end()
})

test('whoever comes back afterwards starts syncing, from a new start or not', t => {
  const after = must(gone, promote(gone))
  for (const back of [backUp(after, A), restart(after, A)]) {
    const at = back.servers.get(A)!.incarnation
    const connected = new Map([
      [A, at],
      [C, incarnation(1)],
    ])
    const plan = planReturn(back, connected)
    const planned = must(back, plan!)
    t.deepEqual(
      shardOf(planned).replicas.map(({ server: id, state }) => [id, state]),
      [
        [C, 'in-sync'],
        [A, 'syncing'],
      ],
    )
  }
  t.end()
})
