// Random histories of servers that start, go, are declared down and come back, while the manager
// plans and copies catch up: nothing acknowledged is given up, the sentences for what waits are
// true, and when everybody is back everything becomes in-sync again.
import test from 'tape'
import { shardIndex, type PeerId } from '../../../src/base/brands.js'
import { conditionOf, type ShardCondition } from '../../../src/layout/condition.js'
import type { Configuration, Replica } from '../../../src/layout/configuration.js'
import { planReturn } from '../../../src/layout/placement/planner.js'
import { inSyncOf, isDown, type Connected, type Observed } from '../../../src/layout/replicas.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { backUp, clusterWithVolume, downOf, must, restart, shardOf, VOLUME } from '../clusters.js'
import { liveIn, RandomCluster } from '../random-cluster.js'

function conditions(configuration: Configuration, connected: Connected): readonly ShardCondition[] {
  const observed = { configuration, connected }
  return [...configuration.volumes.values()].flatMap(volume =>
    volume.shards.map(shard => conditionOf(shard, volume, observed)),
  )
}

test('at random: every shard keeps an in-sync copy, and all are back in the end', t => {
  const counts = new Map<string, number>()
  for (let seed = 1; seed <= 80; seed++) {
    const one = new RandomCluster(seed)
    try {
      for (let step = 0; step < 80; step++) one.step()
      one.heal()
    } catch (error) {
      t.fail(`seed ${seed}: ${String(error)}`)
      continue
    }
    for (const { volume, allocation } of one.shards()) {
      const wanted = one.configuration.volumes.get(volume)!.replicas
      const { replicas, stale } = allocation
      const all = replicas.every(replica => replica.state === 'in-sync') && stale.length === 0
      const enough = replicas.length === wanted || one.removals > 0
      if (!all || !enough) t.fail(`seed ${seed}: ${JSON.stringify(allocation)}`)
    }
    for (const [kind, count] of one.counts) counts.set(kind, (counts.get(kind) ?? 0) + count)
  }
  const kinds = ['server-registered', 'server-down', 'server-removed', 'kept']
  for (const kind of [...kinds, 'shards-reallocated', 'replicas-caught-up']) {
    t.ok((counts.get(kind) ?? 0) > 10, `${kind}: ${counts.get(kind)}`)
  }
  t.end()
})

/** Its conditions with the next plan applied. */
function planned(configuration: Configuration, connected: Connected): readonly ShardCondition[] {
  const plan = planReturn(configuration, connected)
  return conditions(plan === null ? configuration : must(configuration, plan), connected)
}

/** What will be when this server is back as it is on record. */
function afterReturn(
  { configuration, connected }: Observed,
  id: PeerId,
): readonly ShardCondition[] {
  const { incarnation, state } = configuration.servers.get(id)!
  const here = new Map(connected).set(id, incarnation)
  return planned(state === 'down' ? backUp(configuration, id) : configuration, here)
}

/** What will be when who is connected has registered, and the leases of all others run out. */
function afterLeases({ configuration, connected }: Observed): readonly ShardCondition[] {
  for (const { id, state, incarnation } of configuration.servers.values()) {
    const registers = state === 'down' && connected.get(id) === incarnation
    if (registers) configuration = backUp(configuration, id)
  }
  const live = liveIn(configuration, connected)
  for (const { id, state } of configuration.servers.values()) {
    if (state === 'down' || live.includes(id)) continue
    configuration = must(configuration, downOf(configuration, id, ...live))
  }
  return planned(configuration, connected)
}

test('at random: a shard waits for what its condition names, and for nothing else', t => {
  const kinds = new Map<string, number>()
  const stuck = ['newest-away', 'all-restarted']
  for (let seed = 200; seed < 230; seed++) {
    const one = new RandomCluster(seed)
    for (let step = 0; step < 60; step++) {
      one.step()
      if (step % 5 > 0) continue
      const now = conditions(one.configuration, one.connected)
      const later = afterLeases(one)
      now.forEach((condition, i) => {
        kinds.set(condition.kind, (kinds.get(condition.kind) ?? 0) + 1)
        if (condition.kind === 'writes-wait' && later[i]!.kind === 'writes-wait') {
          t.fail(`seed ${seed}, step ${step}: declaring servers down is not enough`)
        }
        if (condition.kind !== 'newest-away' && condition.kind !== 'all-restarted') return
        for (const id of condition.servers) {
          const { kind } = afterReturn(one, id)[i]!
          if (stuck.includes(kind)) t.fail(`seed ${seed}, step ${step}: ${kind} with ${id}`)
        }
      })
      const resuming = now.some(({ kind }) => kind === 'resuming')
      if (resuming && planReturn(one.configuration, one.connected) === null) {
        t.fail(`seed ${seed}, step ${step}: nobody resumes`)
      }
    }
  }
  t.equal(kinds.size, 7, `all conditions: ${JSON.stringify([...kinds])}`)
  t.end()
})

// Shard 0 of a volume on three servers, and what each of them holds in memory. A write is
// acknowledged whenever every in-sync server is there with its memory and not declared down; as
// long as one server that had the newest write in memory never restarts, nothing may be given up.
test('at random: who resumes or stays in-sync holds what was acknowledged', t => {
  let [resumes, caughtUps, downs] = [0, 0, 0]
  for (let seed = 1; seed <= 150; seed++) {
    const random = new SeededRandom(seed)
    let configuration = clusterWithVolume()
    const ids = shardOf(configuration).replicas.map(r => r.server)
    let written = 0
    let generation = 0
    const memory = new Map<PeerId, number>(ids.map(id => [id, 0]))
    const away = new Set<PeerId>()
    for (let step = 0; step < 60; step++) {
      const id = random.pick(ids)
      const who = connectedBut(configuration, away)
      const record = configuration.servers.get(id)!
      if (record.state === 'down' && !away.has(id) && random.chance(0.5)) {
        configuration = backUp(configuration, id)
      } else if (record.state === 'up' && away.has(id) && random.chance(0.4)) {
        const live = [...who.keys()].filter(other => !isDown(configuration, other))
        configuration = must(configuration, downOf(configuration, id, ...live))
        downs++
      } else if (random.chance(0.2)) {
        away.delete(id)
        memory.set(id, -1) // what it had not flushed is gone
        configuration = restart(configuration, id)
      } else if (random.chance(0.3)) {
        if (!away.delete(id)) away.add(id)
      } else if (random.chance(0.5)) {
        const plan = planReturn(configuration, who)
        if (plan !== null) configuration = must(configuration, plan)
      } else {
        const { epoch, replicas } = shardOf(configuration)
        const inSync = replicas.filter(replica => replica.state === 'in-sync')
        const serves = (r: Replica): boolean =>
          who.get(r.server) === r.incarnation && !isDown(configuration, r.server)
        if (!inSync.every(serves)) continue
        written++
        for (const { server: holder } of inSync) memory.set(holder, written)
        const behind = replicas.find(r => r.state === 'syncing' && serves(r))
        if (behind !== undefined) {
          memory.set(behind.server, written)
          caughtUps++
          const caught = { volume: VOLUME, shard: shardIndex(0) }
          configuration = must(configuration, {
            kind: 'replicas-caught-up',
            replicas: [{ ...caught, server: behind.server, expected: epoch }],
          })
        }
      }
      const shard = shardOf(configuration)
      const held = (): boolean => [...memory.values()].includes(written)
      const known = held()
      if (shard.generation > generation) {
        if (known) t.fail(`seed ${seed}: given up at ${step}`)
        generation = shard.generation
        resumes++
        for (const [holder, value] of memory) if (value >= 0) memory.set(holder, -2)
        memory.set(shard.replicas[0]!.server, written)
      }
      // Nobody knows what a copy holds that has left the in-sync set: it counts no more.
      const counts = new Set(inSyncOf(shard).map(r => r.server))
      for (const holder of ids) if (!counts.has(holder)) memory.set(holder, -2)
      if (known && !held()) t.fail(`seed ${seed}: nobody counts who has it at step ${step}`)
      for (const r of shard.replicas) {
        const valid = configuration.servers.get(r.server)!.incarnation === r.incarnation
        if (r.state === 'in-sync' && valid && memory.get(r.server) !== written) {
          t.fail(`seed ${seed}: in-sync without the newest write at step ${step}`)
        }
      }
    }
  }
  t.ok(resumes > 20 && caughtUps > 200 && downs > 200, `${resumes}, ${caughtUps}, ${downs}`)
  t.end()
})

function connectedBut(configuration: Configuration, away: ReadonlySet<PeerId>): Connected {
  const here = [...configuration.servers.values()].filter(({ id }) => !away.has(id))
  return new Map(here.map(record => [record.id, record.incarnation]))
}
