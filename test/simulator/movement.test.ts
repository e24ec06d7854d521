// Copies move between servers while clients go on: servers that are emptied, that stay away, that
// join. What the planner does by itself is tested in test/layout/movement.
import test from 'tape'
import { wait } from '../../src/base/clock.js'
import { MovingStory } from './moving-story.js'
import { SimulatedCluster } from './simulated-cluster.js'

const REBUILD_AFTER = 20_000

interface Shape {
  readonly seed: number
  readonly servers: number
}

/** A story that a cluster under load goes through. */
function scenario(
  title: string,
  shape: Shape,
  story: (t: test.Test, moving: MovingStory) => Promise<void>,
): void {
  test(title, async t => {
    const cluster = await SimulatedCluster.start({ ...shape, rebuildAfter: REBUILD_AFTER })
    const whole = async (): Promise<void> => {
      const moving = await MovingStory.begin(cluster)
      await story(t, moving)
      const { operations } = moving
      t.deepEqual(await moving.finish(), [], `nothing is wrong after ${operations} operations`)
    }
    await cluster.run(title, whole(), 900_000)
  })
}

scenario('a server is emptied and removed', { seed: 1, servers: 5 }, async (t, moving) => {
  const { cluster } = moving
  t.ok(moving.held('b') > 2, `b holds ${moving.held('b')} shards`)
  await moving.drain('b')
  let left = moving.held('b')
  while (left > 0) {
    await cluster.until('one more has moved', () => moving.held('b') < left)
    left = moving.held('b')
  }
  t.ok(moving.gentle, `gently: ${JSON.stringify(moving.extremes)}`)
  await moving.admin({ command: 'server-remove', name: 'b', force: false })
  await wait(cluster.clock, 5_000)
  t.equal(cluster.configuration.servers.size, 4, 'it is out without being forced')
  await cluster.endServer('b', 'stop')
  await wait(cluster.clock, 5_000)
})

scenario('a server dies while it is emptied', { seed: 2, servers: 5 }, async (t, moving) => {
  const { cluster } = moving
  await moving.drain('b')
  const before = moving.held('b')
  await cluster.until('some have moved', () => moving.held('b') <= before - 2)
  await cluster.endServer('b', 'kill')
  await moving.untilEmpty('b')
  const id = cluster.idOf('b')
  t.equal(cluster.configuration.servers.get(id)?.state, 'down-draining', 'without its help')
  await moving.untilHealthy()
  await cluster.startServer('b')
  await cluster.until(
    'it is back',
    () => cluster.configuration.servers.get(id)?.state !== 'down-draining',
  )
  t.equal(cluster.configuration.servers.get(id)?.state, 'draining', 'it is still to be emptied')
  await wait(cluster.clock, 10_000)
  t.equal(moving.held('b'), 0, 'and gets nothing')
  await moving.admin({ command: 'server-remove', name: 'b', force: false })
})

scenario(
  'a server dies for good while it is emptied',
  { seed: 3, servers: 5 },
  async (t, moving) => {
    const { cluster } = moving
    await moving.drain('c')
    await cluster.until('one has moved', () => moving.held('c') > 0 && moving.extremes.most > 0)
    await cluster.endServer('c', 'silent power')
    await moving.untilEmpty('c')
    await moving.admin({ command: 'server-remove', name: 'c', force: false })
    t.equal(cluster.configuration.servers.size, 4)
  },
)

scenario('emptying is ended half way', { seed: 4, servers: 5 }, async (t, moving) => {
  const { cluster } = moving
  await moving.drain('b')
  const before = moving.held('b')
  await cluster.until('some have moved', () => moving.held('b') <= before - 2)
  await moving.admin({ command: 'server-undrain', name: 'b' })
  const left = moving.held('b')
  await cluster.until('it gets its share again', () => moving.held('b') > left, 120_000)
  await moving.untilHealthy()
  t.ok(moving.gentle, `gently: ${JSON.stringify(moving.extremes)}`)
})

scenario(
  'a server stays away, is replaced, comes back',
  { seed: 5, servers: 4 },
  async (t, moving) => {
    const { cluster } = moving
    const id = cluster.idOf('c')
    t.ok(moving.held('c') > 2, `c holds ${moving.held('c')} shards`)
    await cluster.endServer('c', 'power')
    await wait(cluster.clock, REBUILD_AFTER / 2)
    const named = (): number =>
      cluster.shards().filter(({ replicas }) => replicas.some(({ server }) => server === id)).length
    t.ok(
      cluster.shards().some(({ stale }) => stale.includes(id)),
      'it is waited for',
    )
    await cluster.until('others have what it held', () => moving.held('c') === 0, 300_000)
    t.equal(named(), 0)
    await moving.untilHealthy()
    await cluster.startServer('c')
    await cluster.until('it gets its share again', () => moving.held('c') > 2, 120_000)
    await moving.untilHealthy()
  },
)

scenario('a server is back before it is replaced', { seed: 6, servers: 4 }, async (t, moving) => {
  const { cluster } = moving
  const before = moving.held('c')
  await cluster.endServer('c', 'kill')
  await wait(cluster.clock, REBUILD_AFTER / 2)
  await cluster.startServer('c')
  await moving.untilHealthy()
  await wait(cluster.clock, 2 * REBUILD_AFTER)
  t.equal(moving.held('c'), before, 'nothing has moved')
})

scenario('a server joins and gets its share', { seed: 7, servers: 3 }, async (t, moving) => {
  const { cluster } = moving
  await cluster.startServer('d')
  const total = 3 * cluster.shards().length
  const share = Math.floor(total / 4)
  const has = (): boolean =>
    ['a', 'b', 'c', 'd'].every(name => Math.abs(moving.held(name) - share) <= 1)
  await cluster.until('all have the same', () => cluster.healthy && has(), 300_000)
  t.ok(moving.gentle, `gently: ${JSON.stringify(moving.extremes)}`)
})

scenario('nowhere to go: refused, or waited for', { seed: 8, servers: 3 }, async (t, moving) => {
  const { cluster } = moving
  const drain = { command: 'server-drain', name: 'a', force: false } as const
  const answer = await cluster.admin(moving.client, drain)
  t.match(answer.ok ? '' : answer.message, /volume data needs 3 storage servers .* without a/)
  await moving.admin({ ...drain, force: true })
  await wait(cluster.clock, 30_000)
  t.equal(moving.held('a'), cluster.shards().length, 'nothing is taken away')
  await cluster.startServer('d')
  await moving.untilEmpty('a')
  t.ok(moving.gentle, `gently: ${JSON.stringify(moving.extremes)}`)
})
